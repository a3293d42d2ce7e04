"""The MAC array on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from rtl_gen.array.mac_array import MacArray
from rtl_gen.config import get_config


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_mac_array(simulator, preset):
    config = get_config(preset)
    simulate(
        MacArray(config),
        name=f"mac_array_{preset}",
        simulator=simulator,
        bench="cocotb_tests.array.bench_mac_array",
        parameters={"config": config.as_dict(), "seed": 5},
    )
