"""Bench of `Streaming`: exact cycles and long random traffic on the simulated memory."""

import random

import cocotb
from amaranth.lib.data import ArrayLayout
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from cocotb_tests.bus.simulated_memory import LATENCY_MIN, MemoryAccess
from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter, row_write_layout
from rtl_gen.bus.stream_reader import StreamReader, stream_request_layout
from rtl_gen.config import AcceleratorConfig

LIMIT_CYCLES = 20_000


class Driver:
    """A memory full of random bytes, and what to expect of it."""

    def __init__(self, dut: HierarchyObject):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.size = given["beats"] * self.config.bus_bytes
        self.contents = self.rng.randbytes(self.size)
        self.memory = MemoryAccess(dut, "memory", self.config)
        self.requests = StreamSource(dut, "start", stream_request_layout(self.config))

    async def fill(self) -> None:
        await self.memory.write(0, self.contents)

    def request(self, first_row: int, rows: int) -> dict[str, int]:
        return {"address": first_row * self.config.width, "beats": rows * self.config.row_beats}

    def rows(self, first_row: int, rows: int) -> list[list[int]]:
        width = self.config.width
        starts = range(first_row * width, (first_row + rows) * width, width)
        return [list(self.contents[at : at + width]) for at in starts]

    async def cycles_until(self, name: str) -> int:
        """Cycles until the output `name` is up at a rising edge, this one not counted."""
        cycles = 0
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut[name].value):
                return cycles
            cycles += 1


def now() -> int:
    return round(get_sim_time("ns") / CLOCK_PERIOD_NS)


@cocotb.test()
async def memory_keeps_what_it_got(dut):
    """What MemoryAccess writes, it reads, and nothing beside it changes."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.fill()
    expected = bytearray(driver.contents)
    beat = driver.config.bus_bytes
    for address, beats in ((0, 1), (driver.size - beat, 1), (5 * beat, 7)):
        data = driver.rng.randbytes(beats * beat)
        await driver.memory.write(address, data)
        expected[address : address + len(data)] = data
    assert await driver.memory.read(0, driver.size) == bytes(expected)
    assert await driver.memory.read(5 * beat, 7 * beat) == expected[5 * beat : 12 * beat]


@cocotb.test()
async def first_row(dut):
    """From request to row in exactly the cycles that the units state, at any latency."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.fill()
    sink = StreamSink(dut, "rows", ArrayLayout(8, driver.config.width))
    for latency in (LATENCY_MIN, 3, 20, 100):
        driver.memory.configure(latency=latency)
        driver.requests.put([driver.request(3, 1)])
        await driver.cycles_until("start__valid")
        assert_equal(
            f"cycles until the first row at latency {latency}",
            1 + await driver.cycles_until("rows__valid"),
            StreamReader.REQUEST_CYCLES
            + latency
            + StreamReader.DATA_CYCLES
            + driver.config.row_beats
            - 1
            + RowPacker.LATENCY,
        )
        assert_equal("row", await sink.receive(1), driver.rows(3, 1))


@cocotb.test()
async def full_rate(dut):
    """A beat a cycle at latency 100, from an address inside a burst."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.fill()
    driver.memory.configure(latency=100)
    sink = StreamSink(dut, "rows", ArrayLayout(8, driver.config.width))
    rows = 53 + 300 // driver.config.row_beats
    driver.requests.put([driver.request(3, rows)])
    await sink.receive(1)
    begin = now()
    expected = driver.rows(4, rows - 1)
    assert_equal("rows", await sink.receive(len(expected)), expected)
    assert_equal("cycles", now() - begin, len(expected) * driver.config.row_beats)


@cocotb.test()
async def bandwidth(dut):
    """The memory's rate is exact; the stream takes all of it."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.fill()
    config = driver.config
    sink = StreamSink(dut, "rows", ArrayLayout(8, config.width))
    beats = 60 * config.row_beats
    for rate in (config.bus_bytes // 2, config.bus_bytes * 3 // 4):
        driver.memory.configure(rate=rate)
        driver.requests.put([driver.request(1, 76)])
        # What the memory may have saved up before is used up after the first rows.
        assert_equal("first rows", await sink.receive(16), driver.rows(1, 16))
        begin = now()
        assert_equal("rows", await sink.receive(60), driver.rows(17, 60))
        assert_equal(f"cycles at {rate} bytes", now() - begin, beats * config.bus_bytes // rate)


@cocotb.test()
async def stalls(dut):
    """The read data channel pauses as often as asked for."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.fill()
    driver.memory.configure(stall=0.25)
    sink = StreamSink(dut, "rows", ArrayLayout(8, driver.config.width))
    rows = 400 // driver.config.row_beats
    driver.requests.put([driver.request(0, rows)])
    begin = now()
    assert_equal("rows", await sink.receive(rows), driver.rows(0, rows))
    assert 0.65 < 400 / (now() - begin) < 0.8


@cocotb.test()
async def write_rate(dut):
    """Rows leave without a gap; the writer is idle a fixed time after the last of them."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    config = driver.config
    rows = driver.rows(0, RowWriter.ROWS_IN_FLIGHT)
    source = StreamSource(dut, "write", row_write_layout(config))
    for latency in (LATENCY_MIN, 30):
        driver.memory.configure(latency=latency)
        source.put(
            {"address": i * config.width, "data": int.from_bytes(row, "little")}
            for i, row in enumerate(rows)
        )
        await driver.cycles_until("write__valid")
        cycles = 1 + await driver.cycles_until("write_idle")
        beats = len(rows) * config.row_beats
        assert_equal("cycles", cycles, RowWriter.LATENCY + beats - 1 + latency + 1)
        size = len(rows) * config.width
        assert await driver.memory.read(0, size) == driver.contents[:size]


@cocotb.test()
async def random_traffic(dut):
    """Reads and writes at once, with stalls of every channel, stream and varying latency."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    rng, config = driver.rng, driver.config
    await driver.fill()
    half = driver.size // config.width // 2
    sink = StreamSink(dut, "rows", ArrayLayout(8, config.width), random_pauses(0.2, rng.random()))
    source = StreamSource(dut, "write", row_write_layout(config), random_pauses(0.3, rng.random()))
    expected = bytearray(driver.contents)
    for latency, stall in ((LATENCY_MIN, 0.5), (40, 0.2), (130, 0.05)):
        driver.memory.configure(latency=latency, stall=stall)
        pieces = [(rng.randrange(half - 40), rng.randint(1, 40)) for _ in range(8)]
        driver.requests.put(driver.request(*piece) for piece in pieces)
        for place in rng.sample(range(half, 2 * half), min(half, 60)):
            data = rng.randbytes(config.width)
            expected[place * config.width : (place + 1) * config.width] = data
            source.put([{"address": place * config.width, "data": int.from_bytes(data, "little")}])
        rows = [row for piece in pieces for row in driver.rows(*piece)]
        assert_equal("rows", await sink.receive(len(rows)), rows)
        await source.send([])
        if not int(dut.write_idle.value):
            await RisingEdge(dut.write_idle)
        assert await driver.memory.read(0, driver.size) == bytes(expected)
    assert not int(dut.row_lost.value)
    assert not int(dut.write_error.value)
    assert not sink.pending()


@cocotb.test()
async def beyond_the_end(dut):
    """Both directions report an access that memory refuses; the reads before it are good."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    config = driver.config
    await driver.fill()
    sink = StreamSink(dut, "rows", ArrayLayout(8, config.width))
    source = StreamSource(dut, "write", row_write_layout(config))
    rows = driver.size // config.width
    driver.requests.put([driver.request(rows - 2, 2)])
    assert_equal("rows", await sink.receive(2), driver.rows(rows - 2, 2))
    assert not int(dut.row_lost.value)
    driver.requests.put([driver.request(rows - 1, 2)])
    assert_equal("last row", await sink.receive(1), driver.rows(rows - 1, 1))
    assert not int(dut.row_lost.value)
    await sink.receive(1)
    assert int(dut.row_lost.value)
    await source.send([{"address": driver.size, "data": 1}])
    await RisingEdge(dut.write_idle)
    await RisingEdge(dut.clk)
    assert int(dut.write_error.value)
