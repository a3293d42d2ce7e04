"""Importance sums of every distribution that matters to a sorter, and who survives them."""

import random
from collections.abc import Callable, Collection, Sequence

from rtl_gen.config import AcceleratorConfig


def survivors(
    live: Collection[int], importance: Sequence[int], keep: int, prefix: int
) -> list[int]:
    """Independent expectation: the first `prefix` tokens, then the largest importance, then the
    lowest index.
    """
    ranking = sorted(live, key=lambda token: (token >= prefix, -importance[token], token))
    return sorted(ranking[:keep])


IMPORTANCE: dict[str, Callable[[random.Random, AcceleratorConfig, int], list[int]]] = {
    "uniform": lambda rng, config, n: [rng.getrandbits(config.importance_bits) for _ in range(n)],
    "attention": lambda rng, config, n: attention_sums(rng, config, n),
    "few levels": lambda rng, config, n: [
        rng.choice([0, 1, 16, 1 << 20, (1 << config.importance_bits) - 1]) for _ in range(n)
    ],
    "low digit": lambda rng, _config, n: [rng.randrange(4) for _ in range(n)],
    "high digit": lambda rng, config, n: [
        rng.randrange(16) << (config.importance_bits - 4) for _ in range(n)
    ],
    "ascending": lambda _rng, _config, n: list(range(n)),
    "descending": lambda _rng, _config, n: list(range(n, 0, -1)),
    "equal": lambda rng, config, n: [rng.getrandbits(config.importance_bits)] * n,
    "zero": lambda _rng, _config, n: [0] * n,
    "largest": lambda _rng, config, n: [(1 << config.importance_bits) - 1] * n,
}


def attention_sums(rng: random.Random, config: AcceleratorConfig, n: int) -> list[int]:
    """Column sums of attention as they are in practice: log-normal, one for each row and head."""
    weights = [rng.lognormvariate(0, 0.8) for _ in range(n)]
    total = (n * config.max_heads) << 16
    return [int(total * weight / sum(weights)) for weight in weights]
