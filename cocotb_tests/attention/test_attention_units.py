"""The attention units, one by one, on both simulators."""

from collections.abc import Callable

import pytest
from amaranth.lib import wiring

from cocotb_tests.attention.row_path import RowPath
from cocotb_tests.harness.runner import SimulationError, simulate
from rtl_gen.attention.importance import Importance
from rtl_gen.attention.mask_decoder import MaskDecoder
from rtl_gen.attention.output_unit import OutputUnit
from rtl_gen.attention.query_walker import QueryWalker
from rtl_gen.attention.softmax import Softmax
from rtl_gen.config import AcceleratorConfig, get_config

UNITS: dict[str, Callable[[AcceleratorConfig], wiring.Component]] = {
    "query_walker": QueryWalker,
    "mask_decoder": MaskDecoder,
    "softmax": Softmax,
    "row_path": RowPath,
    "importance": Importance,
    "output_unit": OutputUnit,
}


@pytest.mark.parametrize("preset", ["tiny", "small"])
@pytest.mark.parametrize("unit", UNITS)
def test_unit(simulator, unit, preset):
    config = get_config(preset)
    simulate(
        UNITS[unit](config),
        name=f"{unit}_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.attention.bench_{unit}",
        parameters={"config": config.as_dict(), "seed": 11},
    )


def test_softmax_stops_the_simulation_at_a_row_too_many(simulator):
    config = get_config("tiny")

    def send(rows: int) -> None:
        simulate(
            Softmax(config),
            name="softmax_tiny",
            simulator=simulator,
            bench="cocotb_tests.attention.bench_softmax_contract",
            parameters={"config": config.as_dict(), "rows": rows},
        )

    send(config.row_slots)
    with pytest.raises(SimulationError, match="softmax: more rows than slots"):
        send(config.row_slots + 1)
