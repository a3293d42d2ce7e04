"""Linear layers and their units on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from rtl_gen.config import AcceleratorConfig, get_config
from rtl_gen.linear.engine import LinearEngine

CONFIGS = {
    "tiny": get_config("tiny"),
    "small": get_config("small"),
    # Half as many lanes as channels: an int16 group is a whole row.
    "broad": AcceleratorConfig(
        lanes=4, width=8, max_tokens=16, max_heads=2, max_dim=16, bus_bytes=8, row_slots=2
    ),
}


@pytest.mark.parametrize("preset", CONFIGS)
def test_engine(simulator, preset):
    simulate(
        LinearEngine(CONFIGS[preset]),
        name=f"linear_{preset}",
        simulator=simulator,
        bench="cocotb_tests.linear.bench_engine",
        parameters={"config": CONFIGS[preset].as_dict(), "seed": 31},
    )
