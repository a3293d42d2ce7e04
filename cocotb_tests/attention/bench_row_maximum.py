"""Bench of `RowMaximum`: scores for the store, and the largest of each row.

Parameters: configuration, seed. At most `row_slots` rows are sent and not yet taken.
"""

import cocotb

from cocotb_tests.attention.score_rows import Row, RowsBench
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.attention.row_maximum import RowMaximum


class MaximumBench(RowsBench):
    UNIT = RowMaximum

    def __init__(self, dut, pauses: float = 0.0, gaps: float = 0.0):
        super().__init__(dut)
        self.beats = self.source("beats", self.pauses(gaps))
        self.rows = self.sink("rows", self.pauses(pauses))
        self.stored = self.record("store__valid", "store__payload")

    async def run(self, rows: list[Row]) -> int:
        """Cycles until the last row was taken."""
        begin = self.cycle
        for index, row in enumerate(rows):
            while index - self.rows.pending() >= self.config.row_slots:
                await self.edge
            await self.beats.send(self.score_beats(row))
        found = await self.rows.receive(len(rows))
        cycles = self.cycle - begin
        assert_equal("row_max", [row["row_max"] for row in found], [row.largest for row in rows])
        for row, wanted in zip(found, rows, strict=True):
            assert {name: row[name] for name in wanted.ended} == wanted.ended
        return cycles

    def check_store(self, rows: list[Row]) -> None:
        """All that was stored since reset, idle lanes aside."""
        beats = [beat for _, beat in self.stored]
        assert_equal("place", [beat["address"] for beat in beats], self.places(rows))
        scores = [[s["score"] if s["valid"] else None for s in beat["data"]] for beat in beats]
        assert scores == [beat for row in rows for beat in row.beats]


@cocotb.test()
async def latency(dut):
    bench = await MaximumBench.on(dut)
    for beats in (1, 2, bench.config.bank_depth):
        cycles = await bench.run([bench.row(beats, lambda: 3)])
        assert_equal("cycles", cycles, beats + RowMaximum.latency(bench.config))


@cocotb.test()
async def back_to_back(dut):
    bench = await MaximumBench.on(dut)
    rows = bench.corner_rows() + bench.realistic_rows(10)
    await bench.run(rows)
    bench.check_store(rows)


@cocotb.test()
async def gaps_and_late_pick_up(dut):
    bench = await MaximumBench.on(dut, pauses=0.9, gaps=0.4)
    rows = bench.corner_rows() + bench.realistic_rows(10)
    await bench.run(rows)
    bench.check_store(rows)
