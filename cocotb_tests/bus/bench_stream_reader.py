"""Bench of `StreamReader` against an AXI RAM of cocotbext-axi, which rejects 4 KB crossings."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles

from cocotb_tests.bus.axi_peers import read_ram
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.bus.axi import BURST_BEATS
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.config import AcceleratorConfig

SIZE = 1 << 15
PAGE = 4096


class StreamReaderBench(UnitBench):
    """A RAM of random bytes, the request port, and a record of every burst."""

    UNIT = StreamReader

    def __init__(self, dut: HierarchyObject, *, stall: float = 0):
        super().__init__(dut)
        self.contents = self.rng.randbytes(SIZE)
        self.ram = read_ram(dut, SIZE, stall, self.given["seed"])
        self.ram.write(0, self.contents)
        self.requests = self.source("start")
        self.bursts: list[tuple[int, int]] = []
        self.arrived = self.taken = 0
        cocotb.start_soon(self._watch())

    def ask(self, address: int, beats: int) -> None:
        self.requests.put([{"address": address, "beats": beats}])

    def beats(self, address: int, beats: int) -> list[dict[str, int]]:
        step = self.config.bus_bytes
        places = range(address, address + beats * step, step)
        words = [int.from_bytes(self.contents[at : at + step], "little") for at in places]
        return [{"data": word, "lost": 0} for word in words]

    async def check(self, sink: StreamSink, address: int, beats: int, label: str) -> None:
        assert_equal(label, await sink.receive(beats), self.beats(address, beats))

    async def _watch(self) -> None:
        """Record bursts; what is asked for and not taken must fit FIFO and output registers."""
        asked, clearing = 0, False
        while True:
            await self.edge
            if self.get("axi__arvalid") and self.get("axi__arready"):
                length = self.get("axi__arlen") + 1
                self.bursts.append((self.get("axi__araddr"), length))
                asked += length
            self.arrived += self.get("axi__rvalid") and self.get("axi__rready")
            self.taken += self.get("out__valid") and self.get("out__ready")
            assert self.get("axi__rready")
            idle = self.get("idle")
            clearing = self.get("clear") or (clearing and not idle)
            if idle:
                asked = self.taken
            assert clearing or asked - self.taken <= self.config.stream_beats + 2


def pieces(bench: StreamReaderBench) -> list[tuple[int, int]]:
    """Requests of one beat, at and across bursts and pages, and random ones."""
    beat = bench.config.bus_bytes
    burst = BURST_BEATS * beat
    fixed = [
        (0, 1),
        (beat, 1),
        (burst - beat, 1),
        (burst - beat, 2),
        (burst, BURST_BEATS),
        (2 * burst + beat, BURST_BEATS),
        (PAGE - beat, 2),
        (PAGE - 3 * beat, BURST_BEATS + 4),
        (PAGE + beat, BURST_BEATS - 1),
        (SIZE - 5 * beat, 5),
    ]
    drawn = []
    for _ in range(6):
        beats = bench.rng.randint(1, 3 * BURST_BEATS)
        drawn.append((bench.rng.randrange(SIZE // beat - beats) * beat, beats))
    return fixed + drawn


async def _read_all(bench: StreamReaderBench, pause: float) -> None:
    sink = bench.sink("out", bench.pauses(pause))
    asked = pieces(bench)
    for piece in asked:
        bench.ask(*piece)
    for i, piece in enumerate(asked):
        await bench.check(sink, *piece, f"request {i} {piece}")
    await bench.until("idle")
    assert not sink.pending()
    assert bench.arrived == bench.taken == sum(beats for _, beats in asked)
    expected = [burst for piece in asked for burst in _bursts(bench.config, *piece)]
    assert_equal("bursts", bench.bursts, expected)


def _bursts(config: AcceleratorConfig, address: int, beats: int) -> list[tuple[int, int]]:
    """Where the beats of a request change their burst-sized block of memory."""
    found: dict[int, list[int]] = {}
    for at in range(address, address + beats * config.bus_bytes, config.bus_bytes):
        found.setdefault(at // (BURST_BEATS * config.bus_bytes), []).append(at)
    return [(block[0], len(block)) for block in found.values()]


@cocotb.test()
async def reads_without_stalls(dut):
    await _read_all(await StreamReaderBench.on(dut), 0)


@cocotb.test()
async def reads_with_stalls(dut):
    """AR, R and the consumer pause at random."""
    await _read_all(await StreamReaderBench.on(dut, stall=0.4), 0.3)


@cocotb.test()
async def slow_consumer(dut):
    """All places of the FIFO are asked for and no more, and no beat is lost."""
    bench = await StreamReaderBench.on(dut)
    depth = bench.config.stream_beats
    beats = depth + 5 * BURST_BEATS
    bench.ask(0, beats)
    await ClockCycles(dut.clk, 8 * depth)
    assert bench.arrived == depth
    assert not bench.get("idle")
    sink = bench.sink("out", bench.pauses(0.8))
    await bench.check(sink, 0, beats, "beats")
    await bench.until("idle")


@cocotb.test()
async def nothing_to_read(dut):
    """A request of no beats is taken and changes nothing."""
    bench = await StreamReaderBench.on(dut)
    sink = bench.sink("out")
    bench.ask(0, 0)
    bench.ask(bench.config.bus_bytes, 3)
    bench.ask(0, 0)
    await bench.check(sink, bench.config.bus_bytes, 3, "beats")
    await bench.until("idle")
    assert len(bench.bursts) == 1
    assert not sink.pending()


@cocotb.test()
async def cleared_at_any_time(dut):
    """After `clear` nothing is offered until a new request, which reads the right beats."""
    bench = await StreamReaderBench.on(dut, stall=0.3)
    beat = bench.config.bus_bytes
    begin = (StreamReader.REQUEST_CYCLES, 1, 2, 0)
    for trial, wait in enumerate([*begin, *(bench.rng.randint(4, 150) for _ in range(20))]):
        takes = trial % 2
        bench.set(out__ready=takes)
        bench.ask(0, SIZE // beat)
        await bench.edge
        await ClockCycles(dut.clk, wait) if wait else None
        await bench.pulse("clear")
        bench.set(out__ready=1)
        while True:
            await bench.edge
            assert not bench.get("out__valid"), "a beat is offered after clear"
            if bench.get("idle"):
                break
        asked, arrived = sum(beats for _, beats in bench.bursts), bench.arrived
        assert asked == arrived, "idle before all beats in flight arrived"
        bench.set(out__ready=0)
        address, beats = bench.rng.randrange(SIZE // beat // 2) * beat, bench.rng.randint(1, 40)
        bench.ask(address, beats)
        received = []
        while len(received) < beats:
            pause = bench.rng.random() < 0.3
            bench.set(out__ready=not pause)
            await bench.edge
            if not pause and bench.get("out__valid"):
                received.append(bench.get("out__payload"))
        assert received == bench.beats(address, beats), f"trial {trial}, cleared after {wait}"
        bench.set(out__ready=0)
        await bench.until("idle")
        assert sum(length for _, length in bench.bursts) == asked + beats


@cocotb.test()
async def held_clear(dut):
    """As long as `clear` is up, no request is taken."""
    bench = await StreamReaderBench.on(dut)
    sink = bench.sink("out")
    bench.set(clear=1)
    bench.ask(0, 4)
    await ClockCycles(dut.clk, 20)
    assert not bench.bursts
    bench.set(clear=0)
    await bench.check(sink, 0, 4, "beats")


@cocotb.test()
async def refused_beat(dut):
    """A beat with an error response is lost, and so are all behind it until `clear`."""
    bench = await StreamReaderBench.on(dut, stall=0.2)
    sink = bench.sink("out", bench.pauses(0.2))
    beat = bench.config.bus_bytes
    bench.ram.refused = range(20 * beat, 21 * beat)
    bench.ask(0, 20)
    await bench.check(sink, 0, 20, "good beats")
    bench.ask(19 * beat, 3)
    before, refused, behind = await sink.receive(3)
    good = bench.beats(19 * beat, 3)
    assert (before, refused["lost"], behind) == (good[0], 1, good[2] | {"lost": 1})
    bench.ask(30 * beat, 10)
    lost = [good | {"lost": 1} for good in bench.beats(30 * beat, 10)]
    assert await sink.receive(10) == lost
    await bench.pulse("clear")
    await bench.until("idle")

    bursts = len(bench.bursts)
    bench.ask(10 * beat, 40)
    while len(bench.bursts) < bursts + 2:
        await bench.edge
    await bench.pulse("clear")
    await bench.until("idle")
    await sink.receive(sink.pending())
    bench.ask(0, 10)
    await bench.check(sink, 0, 10, "beats after a refused one that was discarded")
