"""POOL's golden model against plain integers."""

import pytest
import torch

from model.integer.pooling import pool, pool_scale
from model.tests.formulas import requantised

TOKENS, CHANNELS = 11, 6


@pytest.mark.parametrize("prefix", [0, 1, 4, 7, 12])
@pytest.mark.parametrize("extreme", [None, -32768, 32767])
def test_mean_of_live_tokens(prefix, extreme):
    generator = torch.Generator().manual_seed(prefix)
    residual = torch.randint(-32768, 32768, (TOKENS, CHANNELS), generator=generator)
    if extreme is not None:
        residual[:] = extreme
    live = torch.ones(TOKENS, dtype=torch.bool)
    live[[2, 5, 6, 10]] = False
    averaged = [residual[j].tolist() for j in (0, 1, 3, 4, 7, 8, 9)][prefix:]
    scale = pool_scale(max(len(averaged), 1))
    expected = [
        requantised(sum(token[i] for token in averaged), *scale, 16) for i in range(CHANNELS)
    ]
    assert pool(residual, live, prefix, scale).tolist() == expected


def test_scale_is_the_mean_to_a_step():
    assert pool_scale(1).factor == 1
    assert pool_scale(64).factor == 1 / 64
    for tokens in range(1, 1025):
        assert abs(pool_scale(tokens).factor * tokens - 1) <= 2**-16
