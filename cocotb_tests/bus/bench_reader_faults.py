"""Bench of `StreamReader` against a memory that breaks the protocol."""

from collections.abc import Iterator

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles

from cocotb_tests.bus.faulty_memory import (
    DECERR,
    EXOKAY,
    SLVERR,
    Beat,
    Faults,
    FaultyMemory,
    cut_short,
    with_response,
    without_last,
)
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.bus.axi import BURST_BEATS
from rtl_gen.bus.stream_reader import StreamReader

SIZE = 1 << 14


class ReaderFaultsBench(UnitBench):
    """The memory, the request port, and every beat that is taken: data and whether it is lost."""

    UNIT = StreamReader

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.beat = self.config.bus_bytes
        self.memory = FaultyMemory(dut, "axi__", self.beat, SIZE)
        self.memory.contents[:] = self.rng.randbytes(SIZE)
        self.memory.start(write=False)
        self.requests = self.source("start")
        self.taken: list[tuple[int, int]] = []
        cocotb.start_soon(self._take())

    async def read(self, address: int, beats: int) -> list[tuple[int, int]]:
        """Ask and wait until nothing is under way; what came since."""
        self.taken.clear()
        await self.requests.send([{"address": address, "beats": beats}])
        await self.until("idle")
        return list(self.taken)

    async def clear(self) -> None:
        await self.pulse("clear")
        await self.edge

    def words(self, address: int, beats: int) -> list[int]:
        places = range(address, address + beats * self.beat, self.beat)
        contents = self.memory.contents
        return [int.from_bytes(contents[at : at + self.beat], "little") for at in places]

    async def check_good(self, label: str) -> None:
        """A request of a memory that keeps the rules."""
        self.memory.faults = Faults()
        beats = self.rng.randint(1, 3 * BURST_BEATS)
        address = self.rng.randrange(SIZE // self.beat - beats) * self.beat
        expected = [(word, 0) for word in self.words(address, beats)]
        assert_equal(f"good request after {label}", await self.read(address, beats), expected)

    async def _take(self) -> None:
        while True:
            await self.edge
            if self.get("out__valid") and self.get("out__ready"):
                self.taken.append(tuple(self.get("out__payload").values()))
            self.set(out__ready=self.rng.random() < 0.7)


SIZES = (5, BURST_BEATS, 3)
"""Beats of the bursts of one request: a part of a block of memory, a whole one, a part."""


def faults() -> Iterator[tuple[str, int, int, object]]:
    """What is wrong, in which burst, from which of its beats on, and how the burst changes."""
    for burst, size in enumerate(SIZES):
        for i in sorted({0, size // 2, size - 1}):
            for response in (EXOKAY, SLVERR, DECERR):
                name = f"response {response} at beat {i} of burst {burst}"
                yield name, burst, i, lambda b, i=i, r=response: with_response(b, i, r)
            if i < size - 1:
                yield (
                    f"early RLAST at {i} of burst {burst}",
                    burst,
                    i,
                    lambda b, i=i: cut_short(b, i + 1),
                )
        yield f"no RLAST of burst {burst}", burst, size - 1, without_last
        # One more beat than asked for goes for the first of the next burst.
        yield (
            f"long burst {burst}",
            burst,
            size - 1,
            lambda b: [*without_last(b), Beat(0, last=True)],
        )


@cocotb.test()
async def lost_beats(dut):
    """Each shows with its beat, no sooner, and on all behind it; as many come as were asked for."""
    bench = await ReaderFaultsBench.on(dut)
    block = BURST_BEATS * bench.beat
    address, total = 2 * block - SIZES[0] * bench.beat, sum(SIZES)
    words = bench.words(address, total)
    for name, burst, place, change in faults():
        bad = max(address, (1 + burst) * block)
        bench.memory.faults = Faults(
            read=lambda b, beats, bad=bad, f=change: f(beats) if b.address == bad else beats
        )
        offered = await bench.read(address, total)
        lost = sum(SIZES[:burst]) + place
        assert_equal(f"{name}: error", [e for _, e in offered], [0] * lost + [1] * (total - lost))
        assert_equal(f"{name}: beats", [word for word, _ in offered[:lost]], words[:lost])
        await bench.clear()
        await bench.until("idle")
        await bench.check_good(name)


@cocotb.test()
async def stray_beats(dut):
    """Beats that nobody asked for, at rest and before a request: nothing is offered or counted."""
    bench = await ReaderFaultsBench.on(dut)
    for count in (1, 3, BURST_BEATS, 70):
        bench.taken.clear()
        strays = [Beat(i, last=i == count - 1, response=SLVERR) for i in range(count)]
        bench.memory.stray(beats=strays)
        for _ in range(count + 5):
            await bench.edge
            assert bench.get("idle"), "not idle with stray beats"
        assert not bench.taken
        await bench.check_good(f"{count} stray beats")


@cocotb.test()
async def late_beats(dut):
    """Those of before a reset, in front of a request's own: as many beats as asked for, with an
    error or as they came; none once all is in."""
    bench = await ReaderFaultsBench.on(dut)
    for late in (*range(1, 9), BURST_BEATS, BURST_BEATS + 3, 62):
        bench.memory.stray(beats=[Beat(i, last=i == late - 1) for i in range(late)])
        offered = await bench.read(0, 8)
        assert len(offered) == 8, f"{late} late beats"
        await bench.clear()
        await bench.until("idle")
        await ClockCycles(dut.clk, 100)
        assert bench.get("idle")
        await bench.check_good(f"{late} late beats")


@cocotb.test()
async def cleared_while_beats_are_missing(dut):
    """`clear` in every cycle around an early RLAST: nothing is awaited that does not come."""
    bench = await ReaderFaultsBench.on(dut)
    for cycle in range(40):
        bench.memory.faults = Faults(read=lambda _, beats: cut_short(beats, 2))
        await bench.requests.send([{"address": 0, "beats": 40}])
        await ClockCycles(dut.clk, cycle) if cycle else None
        await bench.clear()
        await bench.until("idle")
        await bench.check_good(f"clear in cycle {cycle}")


@cocotb.test()
async def many_bursts_in_flight(dut):
    """All that the FIFO has room for, on a memory slower than all of them; `clear` once, or again
    and again: the next request waits for the last of them, and gets its own beats alone."""
    bench = await ReaderFaultsBench.on(dut)
    memory, most = bench.memory, bench.config.stream_beats // BURST_BEATS
    for clears in (1, 2, 5):
        memory.latency = 300
        memory.reads.clear()
        await bench.requests.send([{"address": 0, "beats": SIZE // bench.beat}])
        await ClockCycles(dut.clk, 100)
        assert_equal("bursts in flight", len(memory.reads), most)
        for _ in range(clears):
            await bench.clear()
            assert not bench.get("idle"), "idle with bursts in flight"
        offered = await bench.read(BURST_BEATS * bench.beat, 20)
        expected = [(word, 0) for word in bench.words(BURST_BEATS * bench.beat, 20)]
        assert_equal(f"request behind {clears} clears", offered, expected)
        assert len(memory.reads) > most
        assert not memory.outstanding
        memory.latency = 5


@cocotb.test()
async def idle_means_ready(dut):
    """Whenever `idle` is up a request is taken, also around a `clear` of one cycle or of two, with
    nothing under way, beats in the FIFO or beats in flight."""
    bench = await ReaderFaultsBench.on(dut)

    async def watch() -> None:
        while True:
            await bench.edge
            if bench.get("idle") and not bench.get("clear"):
                assert bench.get("start__ready"), "idle, and takes no request"
                assert not bench.memory.outstanding, "idle with beats in flight"

    cocotb.start_soon(watch())
    for beats in (0, 3, 40):
        for wait in (*range(1, 30, 3), 80):
            await bench.requests.send([{"address": 0, "beats": beats}])
            await ClockCycles(dut.clk, wait)
            await bench.pulse("clear")
            if wait % 2:
                await bench.pulse("clear")
            assert not bench.get("out__valid") or bench.get("clear")
            await bench.until("idle")
    await bench.check_good("clears")


@cocotb.test()
async def hard_reset_in_a_burst(dut):
    """With the interconnect's reset the next request is right; without, it gets as many beats as it
    asked for, and the one behind the late ones is right."""
    bench = await ReaderFaultsBench.on(dut)
    memory = bench.memory
    for together in (True, False):
        for beats in range(1, BURST_BEATS + 4, 3):
            await bench.requests.send([{"address": 0, "beats": 3 * BURST_BEATS}])
            for _ in range(beats):
                await bench.until("axi__rvalid")
            dut.rst.value, memory.reset = 1, together
            await ClockCycles(dut.clk, 2)
            dut.rst.value, memory.reset = 0, False
            if not together:
                assert memory.outstanding, "nothing is late"
                assert len(await bench.read(0, 8)) == 8
                await bench.clear()
                while memory.outstanding:
                    await bench.edge
                await bench.until("idle")
            await bench.check_good(f"a reset behind {beats} beats, together: {together}")
