"""The bench's side of a run: its parameters, the clock and reset, and the values it reports."""

import itertools
import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, Timer

from cocotb_tests.harness.runner import BINS_FILE, CYCLES_FILE, RUN_FILE_VARIABLE

CLOCK_PERIOD_NS = 2

TOLD_CYCLES = 1 << 12
"""Between two times that a run tells how far it is."""


def parameters() -> dict[str, Any]:
    """What the caller of `simulate` gave as `parameters`."""
    return _run_description()["parameters"]


def report(**values: Any) -> None:
    """Hand JSON-able values to the caller of `simulate`; later values replace earlier ones."""
    path = _run_file().with_name("values.json")
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | values))


def bins_file() -> Path | None:
    """Where samples of functional coverage go; None if it is not measured."""
    return _run_file().with_name(BINS_FILE) if _run_description()["counts_bins"] else None


async def start(dut: HierarchyObject, reset_cycles: int = 2, limit_cycles: int = 2_000_000) -> None:
    """Set every input to 0, start the clock `clk`, hold `rst` for `reset_cycles` and release it.

    Returns just after the first rising edge without reset. A design without `rst` waits as long.
    The test fails if it still runs after `limit_cycles`.
    """
    inputs = _run_description()["inputs"]
    for name in inputs:
        dut[name].value = 0
    if "rst" in inputs:
        dut.rst.value = 1
    cocotb.start_soon(_fail_after(limit_cycles))
    if _run_description()["tells_cycles"]:
        cocotb.start_soon(_tell_cycles())
    Clock(dut.clk, CLOCK_PERIOD_NS, unit="ns").start(start_high=False)
    await ClockCycles(dut.clk, reset_cycles)
    if "rst" in inputs:
        dut.rst.value = 0
    await ClockCycles(dut.clk, 1)


async def _fail_after(cycles: int) -> None:
    await Timer(cycles * CLOCK_PERIOD_NS, "ns")
    raise AssertionError(f"the test still runs after {cycles} cycles")


async def _tell_cycles() -> None:
    for times in itertools.count(1):
        await Timer(TOLD_CYCLES * CLOCK_PERIOD_NS, "ns")
        _run_file().with_name(CYCLES_FILE).write_text(str(times * TOLD_CYCLES))


def _run_file() -> Path:
    return Path(os.environ[RUN_FILE_VARIABLE])


def _run_description() -> dict[str, Any]:
    return json.loads(_run_file().read_text())
