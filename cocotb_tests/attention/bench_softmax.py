"""Bench of `Softmax`: beats of scores in, exponentials and normalised rows out.

Parameters: configuration, seed. The driver keeps the unit's contract: at most `row_slots` rows
between their first score and the pick-up of their normalisation.
"""

import cocotb

from cocotb_tests.attention.score_rows import Row, RowsBench
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.attention.softmax import Softmax
from rtl_gen.numerics import Scale


class SoftmaxBench(RowsBench):
    """Drives score beats, watches exponentials and rows, and compares both."""

    UNIT = Softmax

    def __init__(self, dut, pauses: float = 0.0, gaps: float = 0.0):
        super().__init__(dut)
        self.scores, self.scale = self.source("scores", self.pauses(gaps)), self.source("scale")
        self.rows, self.done = self.sink("rows", self.pauses(pauses)), 0
        self.exponentials = self.record("exponentials__valid", "exponentials__payload")

    async def run(self, rows: list[Row], scale: Scale) -> int:
        """Cycles until the last row was taken."""
        await self.scale.send([scale._asdict()])
        begin = self.cycle
        for index, row in enumerate(rows):
            while index - self.rows.pending() >= self.config.row_slots:
                await self.edge
            await self.scores.send(self.score_beats(row))
        offered = await self.rows.receive(len(rows))
        cycles = self.cycle - begin
        for row, actual in zip(rows, offered, strict=True):
            row.assert_normalised(actual, scale)
        beats = [beat for _, beat in self.exponentials]
        assert_equal("place", [b["address"] for b in beats], self.places(rows, self.done))
        expected = [beat for row in rows for beat in row.exponentials()]
        assert_equal("exponentials", [beat["data"] for beat in beats], expected)
        self.exponentials.clear()
        self.done += len(rows)
        return cycles


@cocotb.test()
async def latency(dut):
    """A lone row of b beats is offered after its own two passes and the two latencies."""
    bench = await SoftmaxBench.on(dut)
    fixed = Softmax.row_max_latency(bench.config) + Softmax.normalise_latency(bench.config)
    for beats in (1, 2, bench.config.bank_depth):
        cycles = await bench.run([bench.row(beats, lambda: 3)], Scale(1 << 15, 15))
        assert_equal(f"cycles of {beats} beats", cycles, 2 * (beats - 1) + fixed + 1)


@cocotb.test()
async def back_to_back(dut):
    """Rows without gaps, for several output factors."""
    bench = await SoftmaxBench.on(dut)
    for scale in (Scale(1 << 15, 1), Scale((1 << 16) - 1, 63), Scale(45_678, 15)):
        await bench.run(bench.corner_rows() + bench.realistic_rows(15), scale)


@cocotb.test()
async def gaps_and_late_pick_up(dut):
    """Gaps between beats, and a consumer that leaves rows waiting."""
    bench = await SoftmaxBench.on(dut, pauses=0.95, gaps=0.4)
    await bench.run(bench.corner_rows() + bench.realistic_rows(15), Scale(40_000, 20))
