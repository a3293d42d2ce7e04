"""Bench of `Normalisation`: sums of rows to the factors that normalise them.

Parameters: configuration, seed. At most `row_slots` rows have ended and are not yet taken.
"""

import cocotb

from cocotb_tests.attention.score_rows import HIGHEST, LOWEST, Row, RowsBench
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.attention.normalisation import Normalisation
from rtl_gen.numerics import Scale


class NormalisationBench(RowsBench):
    UNIT = Normalisation

    def __init__(self, dut, pauses: float = 0.0):
        super().__init__(dut)
        self.ended, self.sums, self.scale = map(self.source, ("ended", "sums", "scale"))
        self.rows = self.sink("rows", self.pauses(pauses))

    async def run(self, rows: list[Row], scale: Scale) -> int:
        """Cycles from the last sum until the last row was taken."""
        await self.scale.send([scale._asdict()])
        for index, row in enumerate(rows):
            while index - self.rows.pending() >= self.config.row_slots:
                await self.edge
            await self.ended.send([row.ended])
            await self.sums.send([row.exp_sum()])
        begin = self.cycle
        for row, offered in zip(rows, await self.rows.receive(len(rows)), strict=True):
            row.assert_normalised(offered, scale)
        return self.cycle - begin

    def corners(self) -> list[Row]:
        """The smallest and the largest sum, none at all, and sums around powers of two."""
        depth, lanes = self.config.bank_depth, self.config.lanes
        ties = [self.row(beats, lambda: HIGHEST) for beats in range(1, depth + 1)]
        empty = self.row(1, lambda: None)
        return [self.single(1, 0, lanes - 1, LOWEST), empty, *ties, empty, *self.realistic_rows(20)]


@cocotb.test()
async def latency(dut):
    bench = await NormalisationBench.on(dut)
    cycles = await bench.run([bench.row(1, lambda: 0)], Scale(1 << 15, 15))
    assert_equal("cycles", cycles, Normalisation.LATENCY)


@cocotb.test()
async def any_scale(dut):
    """Each for the rows that follow it."""
    bench = await NormalisationBench.on(dut)
    for scale in (Scale(1 << 15, 1), Scale((1 << 16) - 1, 63), Scale(45_678, 15)):
        await bench.run(bench.corners(), scale)


@cocotb.test()
async def late_pick_up(dut):
    bench = await NormalisationBench.on(dut, pauses=0.95)
    await bench.run(bench.corners(), Scale(40_000, 20))
