"""Linear layers in integers: what fits is exact, and rounding is the published rule."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.quantisation.linear import (
    DAMPING,
    LARGEST_BIAS,
    Activation,
    bias_of,
    quantise_linear,
)
from rtl_gen.numerics import SMALLEST_FACTOR

OUT_STEP = 0.01


def inputs(rows: int, channels: int, seed: int, mixing: float = 0.0) -> Activation:
    """Random integers, each channel with a share of the one before, of steps and offsets."""
    generator = torch.Generator().manual_seed(seed)
    integer = torch.randint(-60, 60, (rows, channels), generator=generator)
    for channel in range(1, channels):
        integer[:, channel] += (mixing * integer[:, channel - 1]).round().long()
    step = torch.rand(channels, generator=generator) + 0.5
    offset = torch.randn(channels, generator=generator)
    return Activation(step, step * integer + offset, integer)


def outputs(layer, x: Activation) -> Tensor:
    """Real ones of the integers, in float64."""
    factors = layer.multiplier.double() * 2.0 ** -layer.shift.double()
    return (x.integer.double() @ layer.weight.double().T + layer.bias) * factors * OUT_STEP


def test_weights_that_their_rows_steps_fit_are_exact():
    x = inputs(50, 6, 1)
    integers = torch.randint(-126, 127, (4, 6), generator=torch.Generator().manual_seed(2))
    integers[:, 0] = torch.tensor([127, -127, 127, -127])
    row_steps = torch.tensor([0.5, 0.01, 2.0, 0.125])
    weight, bias = integers * row_steps[:, None] / x.step, torch.tensor([1.0, -2.0, 300.0, 0.0])
    layer = quantise_linear(weight, bias, x, OUT_STEP)
    assert torch.equal(layer.weight.long(), integers)
    factors = layer.multiplier.double() * 2.0 ** -layer.shift.double()
    assert factors.tolist() == pytest.approx((row_steps / OUT_STEP).tolist(), rel=1e-4)
    wanted = x.real.double() @ weight.double().T + bias
    error = (outputs(layer, x) - wanted).abs()
    assert torch.all(error <= 0.51 * row_steps + 2e-4 * wanted.abs().amax(dim=0))


def test_outputs_may_have_steps_of_their_own():
    x, weight = inputs(50, 6, 1), torch.eye(6)[:2]
    out_step = torch.tensor([0.01, 0.08])
    both = quantise_linear(weight, torch.zeros(2), x, out_step)
    for row in range(2):
        alone = quantise_linear(weight[row:][:1], torch.zeros(1), x, out_step[row].item())
        assert (both.multiplier[row], both.shift[row]) == (alone.multiplier[0], alone.shift[0])


def rounded_by_elimination(weight: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The rule column by column, as Frantar et al. derive it: a column that is rounded leaves the
    inverse of the damped covariance by one step of Gauss's.
    """
    size = len(covariance)
    inverse = np.linalg.inv(covariance + DAMPING * np.diag(covariance).mean() * np.eye(size))
    weight, found = weight.copy(), np.zeros_like(weight)
    for column in range(size):
        found[:, column] = np.clip(np.rint(weight[:, column]), -128, 127)
        error = (weight[:, column] - found[:, column]) / inverse[column, column]
        weight -= np.outer(error, inverse[column])
        inverse -= np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
    return found


def test_rounding_makes_up_for_the_columns_before():
    x = inputs(400, 8, 3, mixing=0.7)
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(5, 8, generator=generator)
    layer = quantise_linear(weight, torch.zeros(5), x, OUT_STEP)
    factors = layer.multiplier.double() * 2.0 ** -layer.shift.double() * OUT_STEP
    folded = (weight * x.step).double().numpy() / factors.numpy()[:, None]
    integers = x.integer.double().numpy()
    covariance = np.cov(integers, rowvar=False, bias=True)
    expected = rounded_by_elimination(folded, covariance)
    assert np.array_equal(layer.weight.numpy(), expected)
    assert not np.array_equal(np.rint(folded), expected)


def test_weights_of_no_influence_are_cut():
    """A large weight of an input that hardly varies: the others have the finer step."""
    x = inputs(400, 8, 12)
    x.integer[:, -1] = torch.arange(400) % 2
    weight = torch.randn(2, 8, generator=torch.Generator().manual_seed(13))
    weight[:, -1] = torch.tensor([12.0, -12.0])
    layer = quantise_linear(weight, torch.zeros(2), x, OUT_STEP)
    assert layer.weight[:, -1].tolist() == [127, -128]
    assert layer.weight[:, :-1].abs().amax() < 127


def test_zeros_stay_zeros():
    x = inputs(400, 8, 5, mixing=0.9)
    weight = torch.randn(5, 8, generator=torch.Generator().manual_seed(6))
    weight[torch.rand(5, 8, generator=torch.Generator().manual_seed(7)) < 0.4] = 0
    layer = quantise_linear(weight, torch.zeros(5), x, OUT_STEP)
    assert not layer.weight[weight == 0].any()
    assert layer.weight[weight != 0].count_nonzero() > 10


@pytest.mark.parametrize("bias", [3.0, -40_000.0])
def test_a_row_of_zeros_holds_its_bias(bias: float):
    x = inputs(50, 6, 8)
    layer = quantise_linear(torch.zeros(1, 6), torch.tensor([bias]), x, OUT_STEP)
    assert abs(abs(layer.bias.item()) / LARGEST_BIAS - 1) < 1e-3
    assert outputs(layer, x)[0].item() == pytest.approx(bias, rel=1e-6)


def test_a_row_of_nothing_has_the_smallest_factor():
    layer = quantise_linear(torch.zeros(1, 6), torch.zeros(1), inputs(50, 6, 9), OUT_STEP)
    factor = layer.multiplier.double() * 2.0 ** -layer.shift.double()
    assert factor.item() == pytest.approx(SMALLEST_FACTOR, rel=1e-4)
    assert not layer.bias.any()


def test_inputs_that_never_change_have_no_covariance():
    x = inputs(1, 6, 10)
    weight = torch.randn(3, 6, generator=torch.Generator().manual_seed(11))
    layer = quantise_linear(weight, torch.zeros(3), x, OUT_STEP)
    wanted = x.real.double() @ weight.double().T
    assert torch.allclose(outputs(layer, x), wanted, rtol=1e-3, atol=0.1)


def test_no_bias_is_zeros():
    layer = nn.Linear(5, 3, bias=False)
    assert torch.equal(bias_of(layer), torch.zeros(3))
    assert bias_of(nn.Linear(5, 3)).shape == (3,)
