"""Bench of `QueryWalker`; live-token list and mask memory are Python behind their read ports.

Parameters: configuration, seed.
"""

from collections.abc import Iterable

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.attention.query_walker import QueryWalker
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY, words


class WalkerBench(UnitBench):
    """Runs walks over any live tokens of a random mask."""

    UNIT = QueryWalker

    def __init__(self, dut, pauses: float = 0.0):
        super().__init__(dut)
        config = self.config
        depth = words(config, "mask")
        self.mask = [self.rng.getrandbits(config.mask_word_bits) for _ in range(depth)]
        self.live: list[int] = []
        self.rows = self.sink("rows", self.pauses(pauses))
        self.serve("live_list", lambda p: self.live[p] if p < len(self.live) else 0, LIST_LATENCY)
        self.serve("mask", lambda a: self.mask[a] if a < len(self.mask) else 0, READ_LATENCY)

    def mask_row(self, token: int) -> int:
        """Kept keys of a query, those beyond `max_tokens` included."""
        word, row = divmod(token, self.config.rows_per_mask_word)
        bits = 8 * self.config.mask_bytes
        return self.mask[word] >> (row * bits) & ((1 << bits) - 1)

    async def walk(self, live: list[int]) -> int:
        """One walk, its rows compared; returns the cycles until the last row was taken."""
        self.live, bitmap, begin = live, sum(1 << token for token in live), self.cycle
        self.set(live=bitmap, start__payload=len(live))
        await self.pulse("start__valid")
        self.set(start__payload=self.rng.getrandbits(self.config.count_bits))
        rows = await self.rows.receive(len(live))
        cycles = self.cycle - begin
        assert_equal("token", [row["token"] for row in rows], live)
        keeps = [self.mask_row(token) & bitmap for token in live]
        assert [row["keep"] for row in rows] == keeps  # wider than an integer of NumPy
        await self.edge
        return cycles

    def subsets(self) -> Iterable[list[int]]:
        """All tokens, one, the last one, neighbours, and random ones."""
        n = self.config.max_tokens
        everything = list(range(n))
        sampled = [
            [j for j in everything if j == 0 or self.rng.random() < density]
            for density in (0.2, 0.5, 0.9)
        ]
        return [everything, [0], [n - 1], [0, n - 1], everything[: n // 2], everything, *sampled]


@cocotb.test()
async def full_rate(dut):
    """The first row after LATENCY cycles, then one a cycle."""
    bench = await WalkerBench.on(dut)
    for live in bench.subsets():
        assert_equal("cycles", await bench.walk(live), QueryWalker.LATENCY + len(live))


@cocotb.test()
async def consumer_stalls(dut):
    bench = await WalkerBench.on(dut, pauses=0.5)
    for live in bench.subsets():
        await bench.walk(live)


@cocotb.test()
async def reads_during_walks_only(dut):
    bench = await WalkerBench.on(dut)
    await bench.walk([0, 2])
    await ClockCycles(dut.clk, 2)
    enables = [bench.record("live_list__enable"), bench.record("mask__enable")]
    await ClockCycles(dut.clk, 3 * QueryWalker.LATENCY)
    assert enables == [[], []], f"the memories are read at {enables}"
    await bench.walk([1])
    assert all(enables)
