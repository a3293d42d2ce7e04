"""Integer inputs of attention, beside attention entry by entry in plain Python."""

import math

import pytest
import torch

from model.quantisation.attention import head_scales, int8_step, masked_attention, to_int8


def test_attention_is_that_of_every_query_over_its_keys():
    generator = torch.Generator().manual_seed(1)
    q, k, v = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
    mask = torch.rand(5, 5, generator=generator) < 0.5
    mask |= torch.eye(5, dtype=torch.bool)
    found = masked_attention(q, k, v, mask)
    for query in range(5):
        kept = [key for key in range(5) if mask[query, key]]
        powers = [math.exp((q[query] @ k[key]).item() / 2) for key in kept]
        shares = [power / sum(powers) for power in powers]
        for channel in range(4):
            values = [v[key, channel].item() for key in kept]
            wanted = sum(share * value for share, value in zip(shares, values, strict=True))
            assert found[query, channel].item() == pytest.approx(wanted)


def test_a_step_puts_the_largest_at_127():
    x = torch.tensor([-2.54, 0.1, 1.0])
    assert int8_step(x) == pytest.approx(0.02)
    assert int8_step(torch.zeros(3)) == 1
    assert to_int8(torch.tensor([-9.0, -2.54, 0.029, 9.0]), 0.02).tolist() == [-128, -127, 1, 127]


def test_scores_are_powers_of_two():
    """8 score bits behind the point: a natural exponent of 1 is log2(e)."""
    scales = head_scales(0.5, 0.25, 0.125, 0.0625, dim=64)
    places = 256
    assert scales.score.factor == pytest.approx(0.125 / 8 / math.log(2) * places, rel=1e-4)
    assert scales.output.factor == 2
