"""Bench of a system without rules: a run for every flip, and a last one without.

Parameters: `config`; `images`, path of an .npz with the bytes to start from, by number of picture;
`results`, the bytes that each leaves behind it; `flips`, a list of number, kind, place, word, bit
and cycle; `latency` of the memory; `limit_cycles` of a run.
Reports `outcomes`: number, ended (one of ENDED) and error code of each, and
`intact`: whether the last run was right; its `cycles`.
"""

from contextlib import suppress

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, SimTimeoutError, with_timeout

from cocotb_tests.bus.simulated_memory import MemoryAccess
from cocotb_tests.faults.report import DETECTED, HANG, MASKED, SILENT
from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, report, start
from cocotb_tests.network.bench_system import Host
from rtl_gen.config import AcceleratorConfig

NEVER_CYCLES = 1 << 40
HOST_CYCLES = 500
"""More than what a host does before and behind a program takes."""


class Driver:
    """Host and memory, and pictures that take turns."""

    def __init__(self, dut):
        self.dut, self.given = dut, parameters()
        self.host = Host(dut)
        self.memory = MemoryAccess(dut, "memory", AcceleratorConfig(**self.given["config"]))
        self.memory.configure(latency=self.given["latency"])
        self.images = dict(np.load(self.given["images"]))

    async def outcome(self, number: int, flip: dict | None) -> tuple[str, int | None]:
        """How a run ends, and its error code if there is one to be read."""
        picture = str(number % len(self.images))
        data = bytearray(self.images[picture].tobytes())
        expected = bytes(self.given["results"][picture])
        if flip and not flip["place"]:
            data[flip["word"]] ^= 1 << flip["bit"]
        await self.reset()
        await self.memory.write(0, bytes(data) + bytes(len(expected)))
        flipped = Flipped(self.dut, flip) if flip and flip["place"] else None
        try:
            limit = (self.given["limit_cycles"] + HOST_CYCLES) * CLOCK_PERIOD_NS
            code = await with_timeout(self.run(flipped), limit, "ns")
        except SimTimeoutError:
            code = None
        if flipped:
            flipped.back()
        if code is None:
            return HANG, None
        if code:
            return DETECTED, code
        stored = await self.memory.read(len(data), len(expected), undefined=True)
        return (MASKED if stored == expected else SILENT), 0

    async def run(self, flipped) -> int | None:
        """The error code of a program; None if it does not end in time."""
        await self.host.write("interrupt_enable", 1)
        await self.host.start(0)
        if flipped:
            cocotb.start_soon(flipped.after_start())
        # Without an interrupt a host looks at the status in the end.
        with suppress(SimTimeoutError):
            limit = self.given["limit_cycles"] * CLOCK_PERIOD_NS
            if not int(self.dut.irq.value):
                await with_timeout(RisingEdge(self.dut.irq), limit, "ns")
        if "done" not in await self.host.status():
            return None
        return await self.host.read("error")

    async def reset(self) -> None:
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)


class Flipped:
    """A bit on the chip."""

    def __init__(self, dut, flip: dict):
        self._dut, self._flip = dut, flip
        handle = dut
        for name in flip["place"][1:]:
            handle = _inside(handle, name)
        self._handle = handle[flip["word"]] if flip["kind"] == "memory" else handle
        self._before = self._wrong = None

    async def after_start(self) -> None:
        await ClockCycles(self._dut.clk, 1 + self._flip["cycle"])
        await FallingEdge(self._dut.clk)
        value = self._handle.value
        self._before = value
        if value.is_resolvable:
            self._wrong = int(value) ^ 1 << self._flip["bit"]
            self._handle.value = self._wrong

    def back(self) -> None:
        """A word that is wrong still would be so in the runs to come."""
        if self._flip["kind"] == "memory" and self._wrong is not None:
            value = self._handle.value
            if value.is_resolvable and int(value) == self._wrong:
                self._handle.value = self._before


def _inside(handle, name: str):
    """What has a name, plain or escaped; Icarus knows the name, Verilator the text."""
    with suppress(KeyError):
        return handle[name]
    return handle[f"\\{name} "]


@cocotb.test()
async def flips(dut):
    await start(dut, limit_cycles=NEVER_CYCLES)
    driver = Driver(dut)
    outcomes = []
    for flip in driver.given["flips"]:
        ended, code = await driver.outcome(flip["number"], flip)
        outcomes.append({"number": flip["number"], "ended": ended, "code": code})
        report(outcomes=outcomes)
    ended, _ = await driver.outcome(0, None)
    report(intact=ended == MASKED, cycles=await driver.host.read("cycles"))
