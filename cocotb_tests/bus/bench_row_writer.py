"""Bench of `RowWriter` against an AXI RAM of cocotbext-axi."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.bus.axi_peers import write_ram
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.streams import StreamSource, random_pauses
from rtl_gen.bus.row_writer import RowWriter, row_write_layout
from rtl_gen.config import AcceleratorConfig

SIZE = 1 << 14
LIMIT_CYCLES = 20_000


class Driver:
    """A RAM, what it should hold, and a count of rows without a response."""

    def __init__(self, dut: HierarchyObject, *, stall: float = 0, pause: float = 0):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.expected = bytearray(self.rng.randbytes(SIZE))
        self.ram = write_ram(dut, SIZE, stall, given["seed"])
        self.ram.write(0, bytes(self.expected))
        self.rows = StreamSource(
            dut, "rows", row_write_layout(self.config), random_pauses(pause, given["seed"])
        )
        self.waiting = self.most = 0
        cocotb.start_soon(self._watch())

    def write(self, place: int) -> None:
        """Queue a random row."""
        width = self.config.width
        data = self.rng.randbytes(width)
        self.expected[place * width : (place + 1) * width] = data
        address, value = place * width, int.from_bytes(data, "little")
        self.rows.put([{"address": address, "data": value}])

    async def idle(self) -> None:
        await self.rows.send([])
        while self.waiting or not int(self.dut.idle.value):
            await RisingEdge(self.dut.clk)

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            assert int(dut.idle.value) == (self.waiting == 0), "idle with a response outstanding"
            self.waiting += int(dut.rows__valid.value) and int(dut.rows__ready.value)
            self.waiting -= int(dut.axi__bvalid.value) and int(dut.axi__bready.value)
            self.most = max(self.most, self.waiting)
            assert self.waiting <= RowWriter.ROWS_IN_FLIGHT
            if int(dut.axi__wvalid.value):
                assert int(dut.axi__wstrb.value) == (1 << self.config.bus_bytes) - 1


@cocotb.test()
async def writes_with_stalls(dut):
    """AW, W, B and the source pause at random; the RAM holds each row and nothing else changed."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, stall=0.4, pause=0.3)
    places = SIZE // driver.config.width
    edges = [0, places - 1, 4096 // driver.config.width - 1, 4096 // driver.config.width]
    for place in [*edges, *(driver.rng.randrange(places) for _ in range(60))]:
        driver.write(place)
    await driver.idle()
    assert driver.ram.read(0, SIZE) == bytes(driver.expected)
    assert not int(dut.error.value)


@cocotb.test()
async def many_in_flight(dut):
    """While responses are held back, ROWS_IN_FLIGHT rows leave and no more."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    driver.ram.b_channel.pause = True
    driver.ram.b_channel.queue_occupancy_limit = -1
    for place in range(RowWriter.ROWS_IN_FLIGHT + 4):
        driver.write(place)
    await ClockCycles(dut.clk, 20 * RowWriter.ROWS_IN_FLIGHT)
    assert driver.most == driver.waiting == RowWriter.ROWS_IN_FLIGHT
    driver.ram.b_channel.pause = False
    await driver.idle()
    assert driver.ram.read(0, SIZE) == bytes(driver.expected)


@cocotb.test()
async def refused_row(dut):
    """An error response shows, stays over good ones and goes with `clear`."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, stall=0.2)
    width = driver.config.width
    driver.write(1)
    await driver.idle()
    assert not int(dut.error.value)
    kept = bytes(driver.expected[2 * width : 3 * width])
    driver.ram.refused = range(2 * width, 3 * width)
    for place in (2, 3, 4):
        driver.write(place)
    await driver.idle()
    driver.expected[2 * width : 3 * width] = kept
    assert driver.ram.read(0, SIZE) == bytes(driver.expected)
    assert int(dut.error.value)
    dut.clear.value = 1
    await ClockCycles(dut.clk, 2)
    dut.clear.value = 0
    assert not int(dut.error.value)


@cocotb.test()
async def clear_with_rows_in_flight(dut):
    """They are written, their refusals don't show, and the next row waits for their responses."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    width = driver.config.width
    driver.ram.b_channel.pause = True
    kept = bytes(driver.expected[width : 2 * width])
    driver.ram.refused = range(width, 2 * width)
    for place in (0, 1, 2):
        driver.write(place)
    await driver.rows.send([])
    await ClockCycles(dut.clk, 10)
    dut.clear.value = 1
    await RisingEdge(dut.clk)
    dut.clear.value = 0
    driver.write(3)
    await ClockCycles(dut.clk, 10)
    assert driver.waiting == 3
    driver.ram.b_channel.pause = False
    await driver.idle()
    driver.expected[width : 2 * width] = kept
    assert driver.ram.read(0, SIZE) == bytes(driver.expected)
    assert not int(dut.error.value)
    driver.write(1)
    await driver.idle()
    assert int(dut.error.value)
