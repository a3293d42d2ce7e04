"""What connects the cores, on both simulators."""

import pytest

from cocotb_tests.core.some_broadcast import NAME, SomeBroadcast
from cocotb_tests.harness.units import run_unit


@pytest.mark.parametrize("sinks", [1, 2, 4])
def test_broadcast(simulator, sinks):
    run(simulator, sinks, testcase="all_that_are_chosen_take_an_item_together")


def test_an_item_for_nobody_stops_the_simulation(simulator):
    run(simulator, 2, testcase="for_nobody", stops=f"{NAME}: for no core")


def run(simulator: str, sinks: int, **arguments) -> None:
    unit = SomeBroadcast(sinks)
    run_unit(simulator, unit, bench="broadcast", sinks=sinks, seed=6, **arguments)
