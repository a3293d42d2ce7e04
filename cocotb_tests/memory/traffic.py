"""Random traffic for a memory of one row a word, and what it answers."""

import random
from collections.abc import Iterator
from typing import Any


def traffic(
    rng: random.Random, depth: int, bits: int, chunks: int, cycles: int = 300, **_given: Any
) -> Iterator[tuple[dict, dict, int | None]]:
    """(write, read, data after this cycle) of each cycle; None as long as the data are unknown.

    Every word is written first; then words are read and chunks of others written at random.
    """
    words, held, size = [0] * depth, None, bits // chunks
    for cycle in range(depth + cycles):
        filling = cycle < depth
        word = cycle if filling else rng.randrange(depth)
        enable = (1 << chunks) - 1 if filling else rng.randrange(1 << chunks)
        written, asked = rng.getrandbits(bits), (word + rng.randrange(1, depth)) % depth
        reads = not filling and rng.random() < 0.5
        held = words[asked] if reads else held
        part = sum(((1 << size) - 1) << i * size for i in range(chunks) if enable >> i & 1)
        words[word] = words[word] & ~part | written & part
        yield (
            {"enable": enable, "address": word, "data": written},
            {"enable": reads, "address": asked},
            held,
        )
