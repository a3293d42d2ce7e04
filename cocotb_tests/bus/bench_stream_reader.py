"""Bench of `StreamReader` against an AXI RAM of cocotbext-axi, which rejects 4 KB crossings."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.bus.axi_peers import read_ram
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.bus.axi import BURST_BEATS
from rtl_gen.bus.stream_reader import StreamReader, stream_request_layout
from rtl_gen.config import AcceleratorConfig

SIZE = 1 << 15
PAGE = 4096
LIMIT_CYCLES = 40_000


class Driver:
    """A RAM of random bytes, the request port, and a record of every burst."""

    def __init__(self, dut: HierarchyObject, *, stall: float = 0):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.contents = self.rng.randbytes(SIZE)
        self.ram = read_ram(dut, SIZE, stall, given["seed"])
        self.ram.write(0, self.contents)
        self.requests = StreamSource(dut, "start", stream_request_layout(self.config))
        self.bursts: list[tuple[int, int]] = []
        self.arrived = self.taken = 0
        cocotb.start_soon(self._watch())

    def sink(self, pause: float = 0) -> StreamSink:
        pauses = random_pauses(pause, self.rng.getrandbits(32))
        return StreamSink(self.dut, "out", 8 * self.config.bus_bytes, pauses)

    def ask(self, address: int, beats: int) -> None:
        self.requests.put([{"address": address, "beats": beats}])

    def beats(self, address: int, beats: int) -> list[bytes]:
        step = self.config.bus_bytes
        return [
            self.contents[at : at + step] for at in range(address, address + beats * step, step)
        ]

    async def check(self, sink: StreamSink, address: int, beats: int, label: str) -> None:
        received = await sink.receive(beats)
        received = [list(beat.to_bytes(self.config.bus_bytes, "little")) for beat in received]
        assert_equal(label, received, list(map(list, self.beats(address, beats))))

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut.idle.value):
                return

    async def clear(self) -> None:
        self.dut.clear.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.clear.value = 0

    async def _watch(self) -> None:
        """Record bursts; what is asked for and not taken must fit FIFO and output registers."""
        dut = self.dut
        asked, clearing = 0, False
        while True:
            await RisingEdge(dut.clk)
            if int(dut.axi__arvalid.value) and int(dut.axi__arready.value):
                length = int(dut.axi__arlen.value) + 1
                self.bursts.append((int(dut.axi__araddr.value), length))
                asked += length
            self.arrived += int(dut.axi__rvalid.value) and int(dut.axi__rready.value)
            self.taken += int(dut.out__valid.value) and int(dut.out__ready.value)
            assert int(dut.axi__rready.value)
            clearing = int(dut.clear.value) or (clearing and not int(dut.idle.value))
            if int(dut.idle.value):
                asked = self.taken
            assert clearing or asked - self.taken <= self.config.stream_beats + 2


def pieces(driver: Driver) -> list[tuple[int, int]]:
    """Requests of one beat, at and across bursts and pages, and random ones."""
    beat = driver.config.bus_bytes
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
        beats = driver.rng.randint(1, 3 * BURST_BEATS)
        drawn.append((driver.rng.randrange(SIZE // beat - beats) * beat, beats))
    return fixed + drawn


async def _read_all(dut: HierarchyObject, stall: float, pause: float) -> None:
    driver = Driver(dut, stall=stall)
    sink = driver.sink(pause)
    asked = pieces(driver)
    for piece in asked:
        driver.ask(*piece)
    for i, piece in enumerate(asked):
        await driver.check(sink, *piece, f"request {i} {piece}")
    await driver.idle()
    assert not sink.pending()
    assert not int(dut.error.value)
    assert driver.arrived == driver.taken == sum(beats for _, beats in asked)
    expected = [burst for piece in asked for burst in _bursts(driver.config, *piece)]
    assert_equal("bursts", driver.bursts, expected)


def _bursts(config: AcceleratorConfig, address: int, beats: int) -> list[tuple[int, int]]:
    """Where the beats of a request change their burst-sized block of memory."""
    found: dict[int, list[int]] = {}
    for at in range(address, address + beats * config.bus_bytes, config.bus_bytes):
        found.setdefault(at // (BURST_BEATS * config.bus_bytes), []).append(at)
    return [(block[0], len(block)) for block in found.values()]


@cocotb.test()
async def reads_without_stalls(dut):
    await start(dut, limit_cycles=LIMIT_CYCLES)
    await _read_all(dut, 0, 0)


@cocotb.test()
async def reads_with_stalls(dut):
    """AR, R and the consumer pause at random."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    await _read_all(dut, 0.4, 0.3)


@cocotb.test()
async def slow_consumer(dut):
    """The FIFO fills to its last place and no further, and no beat is lost."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    depth = driver.config.stream_beats
    beats = depth + 5 * BURST_BEATS
    driver.ask(0, beats)
    await ClockCycles(dut.clk, 8 * depth)
    assert driver.arrived > depth + 2 - BURST_BEATS
    assert not int(dut.idle.value)
    sink = driver.sink(0.8)
    await driver.check(sink, 0, beats, "beats")
    await driver.idle()


@cocotb.test()
async def nothing_to_read(dut):
    """A request of no beats is taken and changes nothing."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    sink = driver.sink()
    driver.ask(0, 0)
    driver.ask(driver.config.bus_bytes, 3)
    driver.ask(0, 0)
    await driver.check(sink, driver.config.bus_bytes, 3, "beats")
    await driver.idle()
    assert len(driver.bursts) == 1
    assert not sink.pending()


@cocotb.test()
async def cleared_at_any_time(dut):
    """After `clear` nothing is offered until a new request, which reads the right beats."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, stall=0.3)
    beat = driver.config.bus_bytes
    begin = (StreamReader.REQUEST_CYCLES, 1, 2, 0)
    for trial, wait in enumerate([*begin, *(driver.rng.randint(4, 150) for _ in range(20))]):
        takes = trial % 2
        dut.out__ready.value = takes
        driver.ask(0, SIZE // beat)
        await RisingEdge(dut.clk)
        await ClockCycles(dut.clk, wait) if wait else None
        await driver.clear()
        dut.out__ready.value = 1
        while True:
            await RisingEdge(dut.clk)
            assert not int(dut.out__valid.value), "a beat is offered after clear"
            if int(dut.idle.value):
                break
        asked, arrived = sum(beats for _, beats in driver.bursts), driver.arrived
        assert asked == arrived, "idle before all beats in flight arrived"
        dut.out__ready.value = 0
        address, beats = driver.rng.randrange(SIZE // beat // 2) * beat, driver.rng.randint(1, 40)
        driver.ask(address, beats)
        received = []
        while len(received) < beats:
            pause = driver.rng.random() < 0.3
            dut.out__ready.value = not pause
            await RisingEdge(dut.clk)
            if not pause and int(dut.out__valid.value):
                received.append(int(dut.out__payload.value).to_bytes(beat, "little"))
        assert received == driver.beats(address, beats), f"trial {trial}, cleared after {wait}"
        dut.out__ready.value = 0
        await driver.idle()
        assert sum(length for _, length in driver.bursts) == asked + beats


@cocotb.test()
async def held_clear(dut):
    """As long as `clear` is up, no request is taken."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    sink = driver.sink()
    dut.clear.value = 1
    driver.ask(0, 4)
    await ClockCycles(dut.clk, 20)
    assert not driver.bursts
    dut.clear.value = 0
    await driver.check(sink, 0, 4, "beats")


@cocotb.test()
async def refused_beat(dut):
    """An error response shows once its beat is in, stays, and goes with `clear`."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, stall=0.2)
    sink = driver.sink(0.2)
    beat = driver.config.bus_bytes
    driver.ram.refused = range(20 * beat, 21 * beat)
    driver.ask(0, 20)
    await driver.check(sink, 0, 20, "good beats")
    assert not int(dut.error.value)
    driver.ask(19 * beat, 3)
    received = await sink.receive(3)
    assert int(dut.error.value)
    good = driver.beats(19 * beat, 3)
    assert received[::2] == [int.from_bytes(good[i], "little") for i in (0, 2)]
    driver.ask(30 * beat, 10)
    await driver.check(sink, 30 * beat, 10, "beats after the error")
    assert int(dut.error.value)
    await driver.clear()
    await driver.idle()
    assert not int(dut.error.value)

    driver.ask(10 * beat, 40)
    while not driver.bursts[-1][0] >= 10 * beat or driver.bursts[-1][0] == 30 * beat:
        await RisingEdge(dut.clk)
    await driver.clear()
    await driver.idle()
    assert not int(dut.error.value), "an error of a discarded beat"
