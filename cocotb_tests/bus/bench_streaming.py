"""Bench of `Streaming`: exact cycles and long random traffic on the simulated memory."""

from typing import Self

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.bus.simulated_memory import LATENCY_MIN, MemoryAccess
from cocotb_tests.bus.streaming import Streaming
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader


class StreamingBench(UnitBench):
    """A memory full of random bytes, and what to expect of it."""

    LIMIT_CYCLES = 20_000

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.size = self.given["beats"] * self.config.bus_bytes
        self.contents = self.rng.randbytes(self.size)
        self.memory = MemoryAccess(dut, "memory", self.config)
        self.requests = self.source("start")

    def make_unit(self) -> Streaming:
        return Streaming(self.config, self.given["beats"])

    @classmethod
    async def on(cls, dut: HierarchyObject) -> Self:
        bench = await super().on(dut)
        await bench.memory.write(0, bench.contents)
        return bench

    def ask(self, first_row: int, rows: int) -> None:
        config = self.config
        request = {"address": first_row * config.width, "beats": rows * config.row_beats}
        self.requests.put([request])

    def rows(self, first_row: int, rows: int) -> list[dict[str, int]]:
        """What to expect of a request."""
        width = self.config.width
        starts = range(first_row * width, (first_row + rows) * width, width)
        words = [int.from_bytes(self.contents[at : at + width], "little") for at in starts]
        return [{"data": word, "lost": 0} for word in words]

    async def written(self) -> int:
        return await self.until("status", lambda status: status["idle"])


@cocotb.test()
async def memory_keeps_what_it_got(dut):
    """What MemoryAccess writes, it reads, and nothing beside it changes."""
    bench = await StreamingBench.on(dut)
    expected = bytearray(bench.contents)
    beat = bench.config.bus_bytes
    for address, beats in ((0, 1), (bench.size - beat, 1), (5 * beat, 7)):
        data = bench.rng.randbytes(beats * beat)
        await bench.memory.write(address, data)
        expected[address : address + len(data)] = data
    assert await bench.memory.read(0, bench.size) == bytes(expected)
    assert await bench.memory.read(5 * beat, 7 * beat) == expected[5 * beat : 12 * beat]


@cocotb.test()
async def first_row(dut):
    """From request to row in exactly the cycles that the units state, at any latency."""
    bench = await StreamingBench.on(dut)
    sink = bench.sink("rows")
    for latency in (LATENCY_MIN, 3, 20, 100):
        bench.memory.configure(latency=latency)
        bench.ask(3, 1)
        await bench.until("start__valid")
        assert_equal(
            f"cycles until the first row at latency {latency}",
            await bench.until("rows__valid"),
            StreamReader.REQUEST_CYCLES
            + latency
            + StreamReader.DATA_CYCLES
            + bench.config.row_beats
            - 1
            + RowPacker.LATENCY,
        )
        assert_equal("row", await sink.receive(1), bench.rows(3, 1))


@cocotb.test()
async def full_rate(dut):
    """A beat a cycle up to the latency that is hidden and not beyond, from inside a burst."""
    bench = await StreamingBench.on(dut)
    sink = bench.sink("rows")
    rows = 53 + 300 // bench.config.row_beats
    hidden = StreamReader.hidden_latency(bench.config)
    for latency in (100, hidden, hidden + 1):
        bench.memory.configure(latency=latency)
        bench.ask(3, rows)
        await sink.receive(1)
        begin = bench.cycle
        expected = bench.rows(4, rows - 1)
        assert_equal("rows", await sink.receive(len(expected)), expected)
        waited = bench.cycle - begin - len(expected) * bench.config.row_beats
        assert (waited == 0) == (latency <= hidden), f"latency {latency}: waited {waited} cycles"


@cocotb.test()
async def bandwidth(dut):
    """The memory's rate is exact; the stream takes all of it."""
    bench = await StreamingBench.on(dut)
    config = bench.config
    sink = bench.sink("rows")
    beats = 60 * config.row_beats
    for rate in (config.bus_bytes // 2, config.bus_bytes * 3 // 4):
        bench.memory.configure(rate=rate)
        bench.ask(1, 76)
        # What the memory may have saved up before is used up after the first rows.
        assert_equal("first rows", await sink.receive(16), bench.rows(1, 16))
        begin = bench.cycle
        assert_equal("rows", await sink.receive(60), bench.rows(17, 60))
        assert_equal(
            f"cycles at {rate} bytes", bench.cycle - begin, beats * config.bus_bytes // rate
        )


@cocotb.test()
async def stalls(dut):
    """The read data channel pauses as often as asked for."""
    bench = await StreamingBench.on(dut)
    bench.memory.configure(stall=0.25)
    sink = bench.sink("rows")
    rows = 400 // bench.config.row_beats
    bench.ask(0, rows)
    begin = bench.cycle
    assert_equal("rows", await sink.receive(rows), bench.rows(0, rows))
    assert 0.65 < 400 / (bench.cycle - begin) < 0.8


@cocotb.test()
async def write_rate(dut):
    """Rows leave without a gap; the writer is idle a fixed time after the last of them."""
    bench = await StreamingBench.on(dut)
    config = bench.config
    rows = bench.rows(0, RowWriter.ROWS_IN_FLIGHT)
    source = bench.source("write")
    for latency in (LATENCY_MIN, 30):
        bench.memory.configure(latency=latency)
        source.put({"address": i * config.width, "data": row["data"]} for i, row in enumerate(rows))
        await bench.until("write__valid")
        beats = len(rows) * config.row_beats
        assert_equal("cycles", await bench.written(), RowWriter.LATENCY + beats + latency)
        size = len(rows) * config.width
        assert await bench.memory.read(0, size) == bench.contents[:size]


@cocotb.test()
async def random_traffic(dut):
    """Reads and writes at once, with stalls of every channel, stream and varying latency."""
    bench = await StreamingBench.on(dut)
    rng, config = bench.rng, bench.config
    half = bench.size // config.width // 2
    sink = bench.sink("rows", bench.pauses(0.2))
    source = bench.source("write", bench.pauses(0.3))
    expected = bytearray(bench.contents)
    for latency, stall in ((LATENCY_MIN, 0.5), (40, 0.2), (130, 0.05)):
        bench.memory.configure(latency=latency, stall=stall)
        pieces = [(rng.randrange(half - 40), rng.randint(1, 40)) for _ in range(8)]
        for piece in pieces:
            bench.ask(*piece)
        for place in rng.sample(range(half, 2 * half), min(half, 60)):
            data = rng.randbytes(config.width)
            expected[place * config.width : (place + 1) * config.width] = data
            source.put([{"address": place * config.width, "data": int.from_bytes(data, "little")}])
        rows = [row for piece in pieces for row in bench.rows(*piece)]
        assert_equal("rows", await sink.receive(len(rows)), rows)
        await source.send([])
        await bench.written()
        assert await bench.memory.read(0, bench.size) == bytes(expected)
    assert not bench.get("status")["failed"]
    assert not sink.pending()


@cocotb.test()
async def beyond_the_end(dut):
    """Both directions report an access that memory refuses; the reads before it are good."""
    bench = await StreamingBench.on(dut)
    config = bench.config
    sink = bench.sink("rows")
    source = bench.source("write")
    rows = bench.size // config.width
    bench.ask(rows - 2, 2)
    assert_equal("rows", await sink.receive(2), bench.rows(rows - 2, 2))
    bench.ask(rows - 1, 2)
    last, beyond = await sink.receive(2)
    assert_equal("last row", [last], bench.rows(rows - 1, 1))
    assert beyond["lost"]
    await source.send([{"address": bench.size, "data": 1}])
    await bench.written()
    assert bench.get("status")["failed"]
