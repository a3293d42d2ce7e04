"""LayerNorm and its parts on both simulators."""

import pytest

from cocotb_tests.harness.contracts import stops
from cocotb_tests.harness.runner import simulate
from rtl_gen.config import get_config
from rtl_gen.norm.layer_norm import LayerNorm
from rtl_gen.norm.norm_factor import NormFactor
from rtl_gen.norm.norm_statistics import NormStatistics
from rtl_gen.norm.square_root import SquareRoot


@pytest.mark.parametrize("bits", [11, get_config("default").variance_bits])
def test_square_root(simulator, bits):
    simulate(
        SquareRoot(bits),
        name="square_root",
        simulator=simulator,
        bench="cocotb_tests.norm.bench_square_root",
        parameters={"bits": bits, "seed": 21},
    )


@pytest.mark.parametrize("preset", ["tiny", "double"])
def test_norm_statistics(simulator, preset):
    config = get_config(preset)
    simulate(
        NormStatistics(config),
        name=f"norm_statistics_{preset}",
        simulator=simulator,
        bench="cocotb_tests.norm.bench_norm_statistics",
        parameters={"config": config.as_dict(), "rounds": 12, "seed": 22},
    )


@pytest.mark.parametrize("preset", ["default"])
def test_norm_factor(simulator, preset):
    config = get_config(preset)
    simulate(
        NormFactor(config),
        name=f"norm_factor_{preset}",
        simulator=simulator,
        bench="cocotb_tests.norm.bench_norm_factor",
        parameters={"config": config.as_dict(), "seed": 23},
    )


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_layer_norm(simulator, preset):
    config = get_config(preset)
    simulate(
        LayerNorm(config),
        name=f"layer_norm_{preset}",
        simulator=simulator,
        bench="cocotb_tests.norm.bench_layer_norm",
        parameters={"config": config.as_dict(), "seed": 24},
    )


TINY = get_config("tiny")
APART, SETTLED = NormStatistics.REVISIT_CYCLES, NormStatistics.latency(TINY)
MEETS = {"count": 1, "dim": TINY.max_dim, "runs": LayerNorm.cycles(TINY, 1, TINY.norm_groups) - 1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"apart": APART, "settled": SETTLED}, None),
        ({"apart": APART - 1, "settled": SETTLED}, "norm statistics: a token is updated again"),
        ({"apart": 1, "settled": SETTLED}, "norm statistics: a token is updated again"),
        ({"apart": APART, "settled": SETTLED - 1}, "norm statistics: read while updated"),
    ],
)
def test_contract_of_statistics(simulator, parameters, message):
    _holds_or_stops(NormStatistics(TINY), simulator, "statistics_meet", parameters, message)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, None),
        ({"count": 0}, "norm: a number of tokens"),
        ({"count": TINY.max_tokens + 1}, "norm: a number of tokens"),
        ({"dim": 0}, "norm: a number of channels"),
        ({"dim": TINY.max_dim - 1}, "norm: a number of channels"),
        ({"dim": TINY.max_dim + TINY.norm_channels}, "norm: a number of channels"),
        ({"runs": MEETS["runs"] - 1}, "norm: residual channels written while it runs"),
    ],
)
def test_contract_of_layer_norm(simulator, parameters, message):
    _holds_or_stops(LayerNorm(TINY), simulator, "norm_meets", MEETS | parameters, message)


def _holds_or_stops(design, simulator: str, testcase: str, parameters: dict, message: str | None):
    with stops(message):
        simulate(
            design,
            name="norm_contract",
            simulator=simulator,
            bench="cocotb_tests.norm.bench_contracts",
            testcase=testcase,
            parameters={"config": TINY.as_dict(), "seed": 25, **parameters},
        )


def test_cycles_of_the_default_configuration():
    assert LayerNorm.cycles(get_config("default"), tokens=197, groups=6) == 1242
