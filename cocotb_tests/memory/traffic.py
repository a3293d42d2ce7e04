"""Random traffic for a memory of one row a word, and what it answers."""

import random
from collections.abc import Iterator
from typing import Any

from cocotb_tests.memory.words import Words


def traffic(
    rng: random.Random, depth: int, bits: int, chunks: int, cycles: int = 300, **_given: Any
) -> Iterator[tuple[dict, dict, int | None]]:
    """(write, read, data after this cycle) of each cycle; None as long as the data are unknown.

    Every word is written first; then words are read and chunks of others written at random.
    """
    words, held, every_chunk = Words(depth, bits, chunks), None, (1 << chunks) - 1
    for cycle in range(depth + cycles):
        filling = cycle < depth
        word = cycle if filling else rng.randrange(depth)
        asked = (word + rng.randrange(1, depth)) % depth
        reads = not filling and rng.random() < 0.5
        held = words[asked] if reads else held
        write = words.write(rng, word, every_chunk if filling else rng.randint(0, every_chunk))
        yield write, {"enable": reads, "address": asked}, held
