"""Tables of nonlinearities: as close to the function as their steps allow, for any function."""

import pytest
import torch
from timm.layers import get_act_layer

from model.network.random_models import NONLINEARITIES
from model.quantisation.nonlinearity import LOWS, NonlinearityTable

FUNCTIONS = {name: get_act_layer(name)() for name in NONLINEARITIES} | {
    "tanh": torch.tanh,
    "in place": torch.nn.SiLU(inplace=True),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_table_is_as_close_as_its_steps(name):
    function = FUNCTIONS[name]
    samples = 2 * torch.randn(20_000, generator=torch.Generator().manual_seed(1)) - 0.5
    before = samples.clone()
    table = NonlinearityTable.fit(function, samples)
    exact = function(before.clone())
    lowest = function(torch.linspace(table.low, table.high, 256)).min()
    error = ((table.apply(before) + 128) * table.output_step + lowest - exact).abs()
    inside = (before > table.low) & (before < table.high)
    # Half a step of the output, and of the input, where these functions are at most 1.15 steep.
    assert error[inside].max() <= 0.5 * table.output_step + 0.6 * table.input_step
    assert error.square().mean().sqrt() < (exact.max() - exact.min()) / 250
    assert table.entries.min() == -128
    assert table.entries.max() == 127
    assert torch.equal(samples, before)
    assert torch.equal(table.output(samples).real, function(before.clone()))


def test_flat_ends_are_cut_and_others_not():
    samples = 3 * torch.randn(20_000, generator=torch.Generator().manual_seed(2))
    ends = {name: NonlinearityTable.fit(FUNCTIONS[name], samples).low for name in FUNCTIONS}
    assert ends["relu"] == 0
    assert {ends["gelu"], ends["gelu_tanh"], ends["quick_gelu"]} <= set(LOWS) - {0}
    assert ends["silu"] < min(LOWS)
    assert ends["identity"] < -6


def test_a_constant_and_values_that_are_all_zero():
    table = NonlinearityTable.fit(torch.zeros_like, torch.randn(100))
    assert table.output_step == 1
    assert table.apply(torch.randn(9)).unique().numel() == 1
    table = NonlinearityTable.fit(torch.nn.functional.gelu, torch.zeros(100))
    assert table.low < 0 < table.high
