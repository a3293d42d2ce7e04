"""LayerNorm and its parts on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from cocotb_tests.norm.norm_stage import NormStage
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
        NormStage(config),
        name=f"norm_{preset}",
        simulator=simulator,
        bench="cocotb_tests.norm.bench_layer_norm",
        parameters={"config": config.as_dict(), "seed": 24},
    )


def test_cycles_of_the_default_configuration():
    assert LayerNorm.cycles(get_config("default"), tokens=197, groups=6) == 1242
