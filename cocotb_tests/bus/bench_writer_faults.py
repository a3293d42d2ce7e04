"""Bench of `RowWriter` against a memory that breaks the protocol."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.bus.faulty_memory import (
    DECERR,
    EXOKAY,
    OKAY,
    SLVERR,
    Faults,
    FaultyMemory,
)
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.streams import StreamSource
from rtl_gen.bus.row_writer import RowWriter, row_write_layout
from rtl_gen.config import AcceleratorConfig

SIZE = 1 << 12
LIMIT_CYCLES = 20_000
IDLE_CYCLES = 200


class Driver:
    """The memory, and what it should hold."""

    def __init__(self, dut: HierarchyObject):
        given = parameters()
        self.dut = dut
        config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.width = config.width
        self.memory = FaultyMemory(dut, "axi__", config.bus_bytes, SIZE)
        self.memory.start(read=False)
        self.expected = bytearray(SIZE)
        self.rows = StreamSource(dut, "rows", row_write_layout(config))
        cocotb.start_soon(self._watch())

    def put(self, count: int) -> None:
        """Queue rows for places of memory that follow each other."""
        first = self.rng.randrange(SIZE // self.width - count)
        for address in range(first * self.width, (first + count) * self.width, self.width):
            data = self.rng.randbytes(self.width)
            self.expected[address : address + self.width] = data
            self.rows.put([{"address": address, "data": int.from_bytes(data, "little")}])

    async def idle(self) -> None:
        await self.rows.send([])
        for _ in range(IDLE_CYCLES):
            await RisingEdge(self.dut.clk)
            if int(self.dut.idle.value):
                assert self.memory.contents == self.expected, "idle with a row missing"
                return
        raise AssertionError("the writer is not idle again")

    async def clear(self) -> None:
        self.dut.clear.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.clear.value = 0
        await RisingEdge(self.dut.clk)

    async def check_good(self, label: str) -> None:
        """Rows to a memory that keeps the rules."""
        await self.clear()
        self.memory.faults = Faults()
        self.put(4)
        await self.idle()
        assert not int(self.dut.error.value), f"error of good rows after {label}"

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut.idle.value):
                assert not self.memory.half_written, "idle with a row on its way"


@cocotb.test()
async def refused_rows(dut):
    """Every response but OKAY is an error, whichever row gets it."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    for response in (EXOKAY, SLVERR, DECERR):
        for bad in range(3):
            given = iter([response if i == bad else OKAY for i in range(3)])
            driver.memory.faults = Faults(respond=lambda _, given=given: [next(given)])
            driver.put(3)
            await driver.idle()
            await RisingEdge(dut.clk)
            assert int(dut.error.value), f"response {response} to row {bad}"
            await driver.check_good(f"response {response} to row {bad}")


@cocotb.test()
async def early_responses(dut):
    """A response before a row has left is an error, and the writer is idle no sooner."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    for again in (False, True):
        for stalled in (0, 20):
            name = f"early response, {'another' if again else 'none'} later, W stalls {stalled}"
            driver.memory.faults = Faults(
                early=lambda _: [OKAY], respond=lambda _, again=again: [OKAY] * again
            )
            driver.memory.write_ready = not stalled
            driver.put(1)
            await ClockCycles(dut.clk, stalled + 1)
            driver.memory.write_ready = True
            await driver.idle()
            assert int(dut.error.value), name
            # The other response may come late enough for a good row.
            await ClockCycles(dut.clk, 3 * driver.memory.latency)
            await driver.check_good(name)


@cocotb.test()
async def stray_responses(dut):
    """Those that no row waits for change nothing."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    for count in (1, 2, RowWriter.ROWS_IN_FLIGHT + 3):
        driver.memory.stray(responses=[SLVERR] * count)
        for _ in range(count + 3):
            await RisingEdge(dut.clk)
            assert int(dut.idle.value), "not idle with stray responses"
        assert not int(dut.error.value)
        await driver.check_good(f"{count} stray responses")


@cocotb.test()
async def doubled_responses(dut):
    """Two responses a row: the rows are written, and nothing waits for ever."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    driver.memory.faults = Faults(respond=lambda _: [OKAY, OKAY])
    driver.put(1)
    await driver.idle()
    await ClockCycles(dut.clk, 3 * driver.memory.latency)
    await driver.check_good("a doubled response")
