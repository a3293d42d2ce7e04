"""Linear layers and their units on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.config import AcceleratorConfig
from rtl_gen.linear.accumulate import Accumulators
from rtl_gen.linear.engine import LinearEngine
from rtl_gen.linear.epilogue import Epilogue
from rtl_gen.linear.place import Placement
from rtl_gen.linear.queue import LayerQueue
from rtl_gen.linear.tile_walker import TileWalker
from rtl_gen.linear.weight_buffer import WeightBuffer
from rtl_gen.presets import get_config

CONFIGS = {
    "tiny": get_config("tiny"),
    "small": get_config("small"),
    # Half as many lanes as channels: an int16 group is a whole row.
    "broad": AcceleratorConfig(
        lanes=4, width=8, max_tokens=16, max_heads=2, max_dim=16, bus_bytes=8, row_slots=2
    ),
}

TINY, DRAIN = CONFIGS["tiny"], 16


@pytest.mark.parametrize(
    "preset", ["tiny", pytest.param("small", marks=pytest.mark.long("icarus")), "broad"]
)
def test_engine(simulator, preset):
    run_unit(simulator, LinearEngine(CONFIGS[preset]), CONFIGS[preset], seed=31)


@pytest.mark.parametrize("preset", ["tiny", "broad"])
@pytest.mark.parametrize("unit", [WeightBuffer, TileWalker, Epilogue, Placement])
def test_unit(simulator, unit, preset):
    run_unit(simulator, unit(CONFIGS[preset]), CONFIGS[preset], seed=31)


@pytest.mark.parametrize("preset", ["tiny", "broad"])
def test_accumulators(simulator, preset):
    config = CONFIGS[preset]
    run_unit(simulator, Accumulators(config), config, apart=Accumulators.REVISIT_CYCLES, seed=31)


def test_accumulators_revisited_too_early(simulator):
    apart, message = Accumulators.REVISIT_CYCLES - 1, "a token again before its sums are written"
    parameters = {"testcase": "revisit", "apart": apart, "seed": 31}
    run_unit(simulator, Accumulators(TINY), TINY, stops=message, **parameters)


@pytest.mark.parametrize(
    ("testcase", "message"),
    [
        ("starts_when_drained", None),
        ("starts_when_told", None),
        ("start_while_walked", "a layer starts while another is walked"),
    ],
)
def test_queue(simulator, testcase, message):
    parameters = {"testcase": testcase, "drain": DRAIN, "seed": 31}
    run_unit(simulator, LayerQueue(TINY, drain=DRAIN), TINY, stops=message, **parameters)
