"""Linear layers on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from cocotb_tests.linear.linear_stage import LinearStage
from rtl_gen.config import get_config


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_linear(simulator, preset):
    config = get_config(preset)
    simulate(
        LinearStage(config),
        name=f"linear_{preset}",
        simulator=simulator,
        bench="cocotb_tests.linear.bench_linear",
        parameters={"config": config.as_dict(), "seed": 31},
    )
