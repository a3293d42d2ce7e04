"""Bench of `RowWriter` against an AXI RAM of cocotbext-axi. Parameters: configuration, seed."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles

from cocotb_tests.bus.axi_peers import write_ram
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.bus.row_writer import RowWriter

SIZE = 1 << 14


class RowWriterBench(UnitBench):
    """A RAM, what it should hold, and a count of rows without a response."""

    UNIT = RowWriter
    LIMIT_CYCLES = 20_000

    def __init__(self, dut: HierarchyObject, *, stall: float = 0, pause: float = 0):
        super().__init__(dut)
        self.expected = bytearray(self.rng.randbytes(SIZE))
        self.ram = write_ram(dut, SIZE, stall, self.given["seed"])
        self.ram.write(0, bytes(self.expected))
        self.rows = self.source("rows", self.pauses(pause))
        self.waiting = self.most = 0
        cocotb.start_soon(self._watch())

    def write(self, *places: int) -> None:
        """Queue random rows; one that memory refuses stays as it is there."""
        width = self.config.width
        for address in (place * width for place in places):
            data = self.rng.randbytes(width)
            if address not in self.ram.refused:
                self.expected[address : address + width] = data
            self.rows.put([{"address": address, "data": int.from_bytes(data, "little")}])

    def refuse(self, place: int) -> None:
        width = self.config.width
        self.ram.refused = range(place * width, (place + 1) * width)

    async def idle(self) -> None:
        """Wait until all is written; memory then holds what it should."""
        await self.rows.send([])
        while self.waiting or not self.get("status")["idle"]:
            await self.edge
        assert self.ram.read(0, SIZE) == bytes(self.expected)

    @property
    def failed(self) -> int:
        return self.get("status")["failed"]

    async def _watch(self) -> None:
        while True:
            await self.edge
            idle = self.get("status")["idle"]
            assert idle == (self.waiting == 0), "idle with a response outstanding"
            self.waiting += self.get("rows__valid") and self.get("rows__ready")
            self.waiting -= self.get("axi__bvalid") and self.get("axi__bready")
            self.most = max(self.most, self.waiting)
            assert self.waiting <= RowWriter.ROWS_IN_FLIGHT
            if self.get("axi__wvalid"):
                assert self.get("axi__wstrb") == (1 << self.config.bus_bytes) - 1


@cocotb.test()
async def writes_with_stalls(dut):
    """AW, W, B and the source pause at random; the RAM holds each row and nothing else changed."""
    bench = await RowWriterBench.on(dut, stall=0.4, pause=0.3)
    places, page = SIZE // bench.config.width, 4096 // bench.config.width
    bench.write(0, places - 1, page - 1, page)
    bench.write(*(bench.rng.randrange(places) for _ in range(60)))
    await bench.idle()
    assert not bench.failed


@cocotb.test()
async def many_in_flight(dut):
    """While responses are held back, ROWS_IN_FLIGHT rows leave and no more."""
    bench = await RowWriterBench.on(dut)
    bench.ram.b_channel.pause = True
    bench.ram.b_channel.queue_occupancy_limit = -1
    bench.write(*range(RowWriter.ROWS_IN_FLIGHT + 4))
    await ClockCycles(dut.clk, 20 * RowWriter.ROWS_IN_FLIGHT)
    assert bench.most == bench.waiting == RowWriter.ROWS_IN_FLIGHT
    bench.ram.b_channel.pause = False
    await bench.idle()


@cocotb.test()
async def refused_row(dut):
    """An error response shows, stays over good ones and goes with `clear`."""
    bench = await RowWriterBench.on(dut, stall=0.2)
    bench.write(1)
    await bench.idle()
    assert not bench.failed
    bench.refuse(2)
    bench.write(2, 3, 4)
    await bench.idle()
    assert bench.failed
    await bench.pulse("clear")
    await bench.edge
    assert not bench.failed


@cocotb.test()
async def clear_with_rows_in_flight(dut):
    """They are written, their refusals don't show, and the next row waits for their responses."""
    bench = await RowWriterBench.on(dut)
    bench.ram.b_channel.pause = True
    bench.refuse(1)
    bench.write(0, 1, 2)
    await bench.rows.send([])
    await ClockCycles(dut.clk, 10)
    await bench.pulse("clear")
    bench.write(3)
    await ClockCycles(dut.clk, 10)
    assert bench.waiting == 3
    bench.ram.b_channel.pause = False
    await bench.idle()
    assert not bench.failed
    bench.write(1)
    await bench.idle()
    assert bench.failed
