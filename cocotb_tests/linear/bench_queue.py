"""Bench of `LayerQueue`, with a walker in Python. Parameters: configuration, drain, seed."""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.linear.queue import LayerQueue

LAYERS = 12


class QueueBench(UnitBench):
    """Walks layers of random lengths, whose last steps stand in `ends` by the cycle."""

    def __init__(self, dut):
        super().__init__(dut)
        self.starts, self.ends = [], []
        self.commands, self.expected = (
            self.source("command"),
            self.sink("expected", self.pauses(0.3)),
        )
        cocotb.start_soon(self._walk())

    def make_unit(self) -> LayerQueue:
        return LayerQueue(self.config, drain=self.given["drain"])

    def layers(self) -> list[dict]:
        draw = self.rng.randrange
        bits = {"source": 2, "destination": 4, "only_cls": 2, "slices": 8, "tiles": 16, "pitch": 8}
        return [{name: draw(end) for name, end in bits.items()} for _ in range(LAYERS)]

    async def _walk(self) -> None:
        while True:
            self.set(walk__ready=1)
            await self.until("walk__valid")
            self.starts.append((self.cycle, self.get("walk__payload")))
            self.set(walk__ready=0)
            for step in range(self.rng.randint(1, 30), 0, -1):
                self.set(steps__valid=step == 1 or self.rng.randrange(2))
                await self.edge
                assert self.get("running")["active"]
            self.ends.append(self.cycle)
            self.set(steps__valid=0)

    async def run(self) -> None:
        """Commands as fast as they are taken; each is announced and walked, in order."""
        layers = self.layers()
        await self.commands.send(layers)
        assert await self.expected.receive(LAYERS) == layers
        while len(self.ends) < LAYERS or not self.get("idle"):
            await self.edge
        assert [layer for _, layer in self.starts] == layers
        assert_equal("idle", self.cycle - self.ends[-1], self.given["drain"] + 1)


@cocotb.test()
async def starts_when_drained(dut):
    """A layer starts in the cycle in which the one before is done, not earlier."""
    bench = await QueueBench.on(dut)
    bench.set(go=1)
    await bench.run()
    gaps = [start - end for (start, _), end in zip(bench.starts[1:], bench.ends, strict=False)]
    assert_equal("gaps", gaps, [bench.given["drain"] + 1] * (LAYERS - 1))


@cocotb.test()
async def starts_when_told(dut):
    """Only in cycles of `go`."""
    bench = await QueueBench.on(dut)
    told = set()

    async def tell():
        for pause in bench.pauses(0.9):
            bench.set(go=not pause)
            await bench.edge
            if not pause:
                told.add(bench.cycle)

    cocotb.start_soon(tell())
    await bench.run()
    assert {cycle for cycle, _ in bench.starts} <= told


@cocotb.test()
async def start_while_walked(dut):
    """Stops the simulation: the walker is not ready."""
    bench = await QueueBench.on(dut)
    await bench.edge
    bench.set(walk__ready=0, go=1)
    await bench.commands.send(bench.layers()[:1])
    await ClockCycles(dut.clk, 3)
