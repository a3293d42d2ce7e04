"""Bench of `Accumulators`. Parameters: configuration, seed, `apart` (see test_linear.py)."""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.array.mac_array import MacArray
from rtl_gen.linear.accumulate import Accumulators
from rtl_gen.linear.tile_walker import TileWalker

LARGEST = (1 << 31) - 1


class AccumulateBench(UnitBench):
    UNIT = Accumulators

    def __init__(self, dut):
        super().__init__(dut)
        self.totals = self.record("totals__valid", "totals__payload")
        self.dots_at = MacArray.dot_latency(self.config)

    def parameters(self) -> list[dict]:
        draw, room = self.rng.randrange, LARGEST - (1 << 26)
        return [
            {
                "bias": self.rng.choice([draw(-20_000, 20_000), room, -room]),
                "multiplier": draw(1 << 16),
                "shift": draw(1, 64),
            }
            for _ in range(self.config.lanes)
        ]

    async def step(self, **fields: int) -> list[int]:
        """A step in this cycle; its dots, which come when the array has them."""
        most = 1 << self.config.dot_bits - 1
        dots = [self.rng.choice([-most, most - 1, self.rng.randrange(-most, most)])]
        dots += [self.rng.randrange(-most, most) for _ in range(self.config.lanes - 1)]

        async def answer():
            await ClockCycles(self.dut.clk, self.dots_at)
            self.set(dots=dots)

        cocotb.start_soon(answer())
        self.set(steps={"valid": 1, "payload": fields})
        await self.edge
        idle = {flag: self.rng.randrange(2) for flag in ("first_slice", "last_slice")}
        self.set(steps={"valid": 0, "payload": idle}, parameters__valid=0)
        return dots

    def offer(self, parameters: list[dict]) -> None:
        """A tile is taken in this cycle."""
        self.set(parameters={"valid": 1, "payload": parameters})

    async def group(
        self, tokens: list[int], slices: int, parameters: list[dict], following: list[dict]
    ) -> list[tuple]:
        """A group's passes, with idle cycles here and there; its expected totals. The last cycle of
        a pass takes the next tile.
        """
        latency, least = Accumulators.latency(self.config), TileWalker.MIN_PASS
        sums = {token: [of["bias"] for of in parameters] for token in tokens}
        for slice_ in range(slices):
            begin, finished = self.cycle, []
            next_tile = parameters if slice_ < slices - 1 else following
            for index, position in enumerate(tokens):
                while index and self.rng.random() < 0.2:
                    await self.edge
                ends = index == len(tokens) - 1 and self.cycle + 1 >= begin + least
                if ends:
                    self.offer(next_tile)
                dots = await self.step(
                    pass_start=index == 0,
                    first_slice=slice_ == 0,
                    last_slice=slice_ == slices - 1,
                    position=position,
                )
                sums[position] = [s + dot for s, dot in zip(sums[position], dots, strict=True)]
                finished.append(self.cycle + latency)
            if not ends:
                await ClockCycles(self.dut.clk, max(1, begin + least - 1 - self.cycle))
                self.offer(next_tile)
                await self.edge
                self.set(parameters__valid=0)
        factors = [{"multiplier": of["multiplier"], "shift": of["shift"]} for of in parameters]
        return [
            (cycle, {"sums": sums[token], "factors": factors})
            for cycle, token in zip(finished, tokens, strict=True)
        ]


@cocotb.test()
async def sums(dut):
    """Groups of one to several slices, of one to all tokens."""
    bench = await AccumulateBench.on(dut)
    longest, expected = bench.config.max_tokens, []
    parameters = bench.parameters()
    bench.offer(parameters)
    await bench.edge
    bench.set(parameters__valid=0)
    for slices in (1, 2, 3, 1):
        for count in (1, 2, TileWalker.MIN_PASS, longest):
            tokens = sorted(bench.rng.sample(range(longest), count))
            following = bench.parameters()
            expected += await bench.group(tokens, slices, parameters, following)
            parameters = following
    await ClockCycles(dut.clk, Accumulators.latency(bench.config) + 1)
    assert bench.totals == expected


@cocotb.test()
async def revisit(dut):
    """The same position twice, `apart` cycles from one another."""
    bench = await AccumulateBench.on(dut)
    await bench.step(position=3)
    await ClockCycles(dut.clk, bench.given["apart"] - 1)
    await bench.step(position=3)
    await ClockCycles(dut.clk, 2)
