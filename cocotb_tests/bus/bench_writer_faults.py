"""Bench of `RowWriter` against a memory that breaks the protocol."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles

from cocotb_tests.bus.faulty_memory import DECERR, EXOKAY, OKAY, SLVERR, Faults, FaultyMemory
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.bus.row_writer import RowWriter

SIZE = 1 << 12


class WriterFaultsBench(UnitBench):
    """The memory, and what it should hold."""

    UNIT = RowWriter
    LIMIT_CYCLES = 20_000

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.memory = FaultyMemory(dut, "axi__", self.config.bus_bytes, SIZE)
        self.memory.start(read=False)
        self.expected = bytearray(SIZE)
        self.rows = self.source("rows")
        self.watching = cocotb.start_soon(self._watch())

    def put(self, count: int) -> None:
        """Queue rows for places of memory that follow each other."""
        width = self.config.width
        first = self.rng.randrange(SIZE // width - count)
        for address in range(first * width, (first + count) * width, width):
            data = self.rng.randbytes(width)
            self.expected[address : address + width] = data
            self.rows.put([{"address": address, "data": int.from_bytes(data, "little")}])

    async def idle(self) -> None:
        await self.rows.send([])
        await self.until("status", lambda status: status["idle"])
        assert self.memory.contents == self.expected, "idle with a row missing"

    async def clear(self) -> None:
        await self.pulse("clear")
        await self.edge

    async def check_good(self, label: str) -> None:
        """Rows to a memory that keeps the rules."""
        await self.clear()
        self.memory.faults = Faults()
        self.put(4)
        await self.idle()
        assert not self.failed, f"error of good rows after {label}"

    @property
    def failed(self) -> int:
        return self.get("status")["failed"]

    async def _watch(self) -> None:
        while True:
            await self.until("status", lambda status: status["idle"])
            assert not self.memory.half_written, "idle with a row on its way"
            if not self.get("clear"):
                assert self.get("rows__ready"), "idle, and takes no row"


@cocotb.test()
async def refused_rows(dut):
    """Every response but OKAY is an error, whichever row gets it."""
    bench = await WriterFaultsBench.on(dut)
    for response in (EXOKAY, SLVERR, DECERR):
        for bad in range(3):
            given = iter([response if i == bad else OKAY for i in range(3)])
            bench.memory.faults = Faults(respond=lambda _, given=given: [next(given)])
            bench.put(3)
            await bench.idle()
            await bench.edge
            assert bench.failed, f"response {response} to row {bad}"
            await bench.check_good(f"response {response} to row {bad}")


@cocotb.test()
async def early_responses(dut):
    """A response before a row has left is an error, and the writer is idle no sooner."""
    bench = await WriterFaultsBench.on(dut)
    for again in (False, True):
        for stalled in (0, 20):
            name = f"early response, {'another' if again else 'none'} later, W stalls {stalled}"
            bench.memory.faults = Faults(
                early=lambda _: [OKAY], respond=lambda _, again=again: [OKAY] * again
            )
            bench.memory.write_ready = not stalled
            bench.put(1)
            await ClockCycles(dut.clk, stalled + 1)
            bench.memory.write_ready = True
            await bench.idle()
            assert bench.failed, name
            # The other response may come late enough for a good row.
            await ClockCycles(dut.clk, 3 * bench.memory.latency)
            await bench.check_good(name)


@cocotb.test()
async def stray_responses(dut):
    """Those that no row waits for change nothing."""
    bench = await WriterFaultsBench.on(dut)
    for count in (1, 2, RowWriter.ROWS_IN_FLIGHT + 3):
        bench.memory.stray(responses=[SLVERR] * count)
        for _ in range(count + 3):
            await bench.edge
            assert bench.get("status")["idle"], "not idle with stray responses"
        assert not bench.failed
        await bench.check_good(f"{count} stray responses")


@cocotb.test()
async def doubled_responses(dut):
    """Two responses a row: the rows are written, and nothing waits for ever."""
    bench = await WriterFaultsBench.on(dut)
    bench.memory.faults = Faults(respond=lambda _: [OKAY, OKAY])
    bench.put(1)
    await bench.idle()
    await ClockCycles(dut.clk, 3 * bench.memory.latency)
    await bench.check_good("a doubled response")


@cocotb.test()
async def hard_reset_in_a_row(dut):
    """With the interconnect's reset the next row is right. Without, that takes its beats for those
    that were missing; the writer does not wait for ever, and both are right when they were reset
    together."""
    bench = await WriterFaultsBench.on(dut)
    memory = bench.memory
    # What the memory makes of rows in pieces is its own business.
    bench.watching.cancel()

    async def reset(*, together: bool) -> None:
        dut.rst.value, memory.reset = 1, together
        await ClockCycles(dut.clk, 2)
        dut.rst.value, memory.reset = 0, False
        await bench.edge
        bench.expected[:] = memory.contents

    for together in (True, False):
        for beats in range(bench.config.row_beats):
            bench.put(1)
            memory.stops_behind = beats
            while not memory.half_written or memory.beats_of_row < beats:
                await bench.edge
            await reset(together=together)
            memory.stops_behind = None
            if not together:
                assert memory.half_written, "the interconnect waits for nothing"
                await bench.rows.send([bench.random("rows__payload", address=0)])
                await bench.until("status", lambda status: status["idle"])
                await reset(together=True)
            await bench.check_good(f"a reset behind {beats} beats, together: {together}")


@cocotb.test()
async def late_responses(dut):
    """Those of rows before a reset, for rows behind it: idle too soon at worst; once all are in,
    rows are right."""
    bench = await WriterFaultsBench.on(dut)
    bench.watching.cancel()
    memory = bench.memory
    for count in (1, 3, RowWriter.ROWS_IN_FLIGHT):
        memory.latency = 100
        memory.writes.clear()
        bench.put(count)
        while len(memory.writes) < count or memory.half_written:
            await bench.edge
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        bench.put(2)
        await bench.rows.send([])
        await bench.until("status", lambda status: status["idle"])
        while memory.outstanding:
            await bench.edge
        assert memory.contents == bench.expected
        await bench.check_good(f"{count} late responses")
        memory.latency = 5
