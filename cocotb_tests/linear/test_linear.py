"""Linear layers and their units on both simulators."""

import pytest
from amaranth.lib import wiring

from cocotb_tests.harness.runner import SimulationError, simulate
from rtl_gen.config import AcceleratorConfig, get_config
from rtl_gen.linear.accumulate import Accumulators
from rtl_gen.linear.engine import LinearEngine
from rtl_gen.linear.epilogue import Epilogue
from rtl_gen.linear.place import Placement
from rtl_gen.linear.queue import LayerQueue
from rtl_gen.linear.tile_walker import TileWalker
from rtl_gen.linear.weight_buffer import WeightBuffer

CONFIGS = {
    "tiny": get_config("tiny"),
    "small": get_config("small"),
    # Half as many lanes as channels: an int16 group is a whole row.
    "broad": AcceleratorConfig(
        lanes=4, width=8, max_tokens=16, max_heads=2, max_dim=16, bus_bytes=8, row_slots=2
    ),
}

TINY, DRAIN = CONFIGS["tiny"], 13
QUEUE = {"drain": DRAIN}


def run(unit: wiring.Component, simulator: str, config: AcceleratorConfig, **arguments) -> None:
    name = type(unit).__module__.rpartition(".")[2]
    parameters = {"config": config.as_dict(), "seed": 31} | arguments.pop("parameters", {})
    simulate(
        unit,
        name=f"linear_{name}",
        simulator=simulator,
        bench=f"cocotb_tests.linear.bench_{name}",
        parameters=parameters,
        **arguments,
    )


@pytest.mark.parametrize("preset", CONFIGS)
def test_engine(simulator, preset):
    run(LinearEngine(CONFIGS[preset]), simulator, CONFIGS[preset])


@pytest.mark.parametrize("preset", ["tiny", "broad"])
@pytest.mark.parametrize("unit", [WeightBuffer, TileWalker, Epilogue, Placement])
def test_unit(simulator, unit, preset):
    run(unit(CONFIGS[preset]), simulator, CONFIGS[preset])


@pytest.mark.parametrize("preset", ["tiny", "broad"])
def test_accumulators(simulator, preset):
    config, parameters = CONFIGS[preset], {"apart": Accumulators.REVISIT_CYCLES}
    run(Accumulators(config), simulator, config, parameters=parameters)


@pytest.mark.parametrize("testcase", ["starts_when_drained", "starts_when_told"])
def test_queue(simulator, testcase):
    run(LayerQueue(TINY, drain=DRAIN), simulator, TINY, parameters=QUEUE, testcase=testcase)


def test_accumulators_revisited_too_early(simulator):
    parameters = {"apart": Accumulators.REVISIT_CYCLES - 1}
    with pytest.raises(SimulationError, match="a token again before its sums are written"):
        run(Accumulators(TINY), simulator, TINY, parameters=parameters, testcase="revisit")


def test_queue_starts_while_walked(simulator):
    queue = LayerQueue(TINY, drain=DRAIN)
    with pytest.raises(SimulationError, match="a layer starts while another is walked"):
        run(queue, simulator, TINY, parameters=QUEUE, testcase="start_while_walked")
