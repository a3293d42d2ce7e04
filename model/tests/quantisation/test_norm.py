"""Steps and shifts of norms, on channels that a step fits without an error."""

import pytest
import torch
from torch import nn

from model.quantisation.norm import quantise_norm, quantise_plain


def columns(*factors: float, top: int = 127) -> torch.Tensor:
    """Rows of every integer from -top to top, each channel times its factor."""
    integers = torch.arange(-top, top + 1, dtype=torch.float64)[:, None]
    return integers * torch.tensor(factors, dtype=torch.float64)


def plain(residual: torch.Tensor, influence: list[float]) -> tuple[float, list[int], torch.Tensor]:
    """Common step, shifts, and integers of residuals of step 0.5."""
    weight = torch.tensor(influence, dtype=torch.float64).sqrt()[None]
    norm, activation = quantise_plain(residual, 0.5, weight)
    step = activation.step / 2.0**norm.channel_shift
    assert torch.equal(activation.real, residual)
    assert norm.scale.factor == pytest.approx(0.5 / (16 * step[0].item()), rel=1e-4)
    return step[0].item(), norm.channel_shift.tolist(), activation.integer


def test_shifts_are_octaves_above_the_smallest_channel():
    step, shifts, integers = plain(columns(0.25, 1, 4, 32), [1, 1, 1, 1])
    assert (step, shifts) == (0.25, [0, 2, 4, 7])
    assert torch.equal(integers, columns(1, 1, 1, 1).long())


def test_a_channel_that_hardly_varies_takes_the_smallest_step():
    step, shifts, integers = plain(columns(64, 1e-4), [1, 1])
    assert (step, shifts) == (0.5, [7, 0])
    assert torch.equal(integers[:, 0], columns(1)[:, 0].long())
    assert not integers[:, 1].any()


def test_nothing_but_zeros_has_a_step():
    assert plain(torch.zeros(3, 2, dtype=torch.float64), [1, 1])[0] == pytest.approx(1 / 127)


@pytest.mark.parametrize(
    ("influence", "wanted", "shifts"), [([1, 0], 0.5, [1, 0]), ([0, 1], 0.5**0.5, [0, 0])]
)
def test_the_channel_of_influence_decides(influence, wanted, shifts):
    """The first channel has no error at a step of 1, the other one at the root of a half."""
    step, found, _ = plain(columns(1, 0.5**0.5), influence)
    assert step == pytest.approx(wanted)
    decides = influence.index(1)
    assert found[decides] == shifts[decides]


def test_rare_outliers_are_cut():
    """One among a quarter of a million."""
    small = columns(1).repeat(1000, 1)
    step, _, integers = plain(torch.cat([small, torch.tensor([[127 * 2.0]])]), [1])
    assert step == 1
    assert integers[-1] == 127


def test_outputs_of_a_norm():
    generator = torch.Generator().manual_seed(1)
    residual = torch.randn(60, 12, generator=generator, dtype=torch.float64) * 3 + 1
    norm = nn.LayerNorm(12, eps=1e-6, dtype=torch.float64)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 2, 12))
        norm.bias.copy_(torch.linspace(-1, 1, 12))
        found, activation = quantise_norm(norm, residual, torch.ones(5, 12, dtype=torch.float64))
        centred = residual - residual.mean(dim=1, keepdim=True)
        normed = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-6).sqrt()
        assert torch.allclose(activation.real, normed * norm.weight + norm.bias)
        approximated = activation.step * activation.integer + norm.bias
        error = (approximated - activation.real).abs().amax(dim=0)
        step = (activation.step / norm.weight / 2.0**found.channel_shift)[0].item()
        assert torch.all(error <= 0.5001 * activation.step)
    assert found.scale.factor == pytest.approx(12 / (16 * step), rel=1e-4)
