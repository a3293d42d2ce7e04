"""LayerNorm and its parts on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.norm.layer_norm import LayerNorm
from rtl_gen.norm.norm_factor import NormFactor
from rtl_gen.norm.norm_statistics import NormStatistics
from rtl_gen.norm.square_root import SquareRoot
from rtl_gen.presets import get_config


@pytest.mark.parametrize("bits", [11, get_config("default").variance_bits])
def test_square_root(simulator, bits):
    run_unit(simulator, SquareRoot(bits), bits=bits, seed=21)


@pytest.mark.parametrize("preset", ["tiny", "double"])
def test_norm_statistics(simulator, preset):
    config = get_config(preset)
    run_unit(simulator, NormStatistics(config), config, rounds=12, seed=22)


def test_norm_factor(simulator):
    config = get_config("default")
    run_unit(simulator, NormFactor(config), config, seed=23)


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_layer_norm(simulator, preset):
    config = get_config(preset)
    run_unit(simulator, LayerNorm(config), config, seed=24)


TINY = get_config("tiny")
CONTRACT = {"bench": "contracts", "seed": 25}
APART, SETTLED = NormStatistics.REVISIT_CYCLES, NormStatistics.latency(TINY)
STATISTICS = CONTRACT | {"testcase": "statistics_meet", "apart": APART, "settled": SETTLED}
RUNS = LayerNorm.cycles(TINY, 1, TINY.max_dim) - 1
NORM = CONTRACT | {"testcase": "norm_meets", "count": 1, "dim": TINY.max_dim, "runs": RUNS}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, None),
        ({"apart": APART - 1}, "norm statistics: a token is updated again"),
        ({"apart": 1}, "norm statistics: a token is updated again"),
        ({"settled": SETTLED - 1}, "norm statistics: read while updated"),
    ],
)
def test_contract_of_statistics(simulator, parameters, message):
    run_unit(simulator, NormStatistics(TINY), TINY, stops=message, **STATISTICS | parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, None),
        ({"count": 0}, "norm: a number of tokens"),
        ({"count": TINY.max_tokens + 1}, "norm: a number of tokens"),
        ({"dim": 0}, "norm: a number of channels"),
        ({"dim": TINY.max_dim - 1}, None),
        ({"dim": TINY.max_dim + 1}, "norm: a number of channels"),
        ({"runs": RUNS - 1}, "norm: residual channels written while it runs"),
    ],
)
def test_contract_of_layer_norm(simulator, parameters, message):
    run_unit(simulator, LayerNorm(TINY), TINY, stops=message, **NORM | parameters)


def test_cycles_of_the_default_configuration():
    """197 tokens at 32 channels a cycle, whole rows of 64."""
    for dim, cycles in ((192, 1242), (129, 1242), (128, 848), (1, 454)):
        assert LayerNorm.cycles(get_config("default"), tokens=197, dim=dim) == cycles
