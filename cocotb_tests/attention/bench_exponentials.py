"""Bench of `Exponentials`: beats of stored rows, and the rows' sums. Parameters: configuration,
seed. At most `row_slots` rows are stored and not yet taken.
"""

import cocotb

from cocotb_tests.attention.score_rows import LOWEST, Row, RowsBench
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.attention.exponentials import Exponentials


class ExponentialsBench(RowsBench):
    UNIT = Exponentials

    def __init__(self, dut, gaps: float = 0.0):
        super().__init__(dut)
        self.store, self.rows = self.source("store"), self.source("rows", self.pauses(gaps))
        self.beats = self.record("beats__valid", "beats__payload")
        self.ended = self.record("ended__valid", "ended__payload")
        self.sums = self.record("sums__valid", "sums__payload")

    def stored(self, index: int, row: Row) -> list[dict]:
        """Scores of the index-th row since reset."""
        return [
            {
                "address": self.place(index, position),
                "data": [
                    {"valid": score is not None, "score": LOWEST if score is None else score}
                    for score in beat
                ],
            }
            for position, beat in enumerate(row.beats)
        ]

    async def run(self, rows: list[Row]) -> None:
        """All rows since reset."""
        for index, row in enumerate(rows):
            while index - len(self.ended) >= self.config.row_slots:
                await self.edge
            await self.store.send(self.stored(index, row))
            self.rows.put([row.ended | {"row_max": row.largest}])
        while len(self.sums) < len(rows):
            await self.edge
        assert_equal("place", [b["address"] for _, b in self.beats], self.places(rows))
        expected = [beat for row in rows for beat in row.exponentials()]
        assert_equal("exponentials", [beat["data"] for _, beat in self.beats], expected)
        assert [row for _, row in self.ended] == [row.ended for row in rows]
        assert_equal("sums", [total for _, total in self.sums], [row.exp_sum() for row in rows])


@cocotb.test()
async def latency(dut):
    """Of a lone row."""
    bench = await ExponentialsBench.on(dut)
    beats = bench.config.bank_depth
    begin = bench.cycle + beats  # the last score is stored
    await bench.run([bench.row(beats, lambda: 3)])
    turns = range(begin + 1, begin + 1 + beats)
    cycles = [turn + Exponentials.LATENCY for turn in turns]
    assert_equal("beats", [cycle for cycle, _ in bench.beats], cycles)
    assert_equal("ended", bench.ended[0][0], turns[-1] + 1)
    assert_equal("sum", bench.sums[0][0], turns[-1] + Exponentials.sum_latency(bench.config))


@cocotb.test()
async def back_to_back(dut):
    bench = await ExponentialsBench.on(dut)
    await bench.run(bench.corner_rows() + bench.realistic_rows(10))


@cocotb.test()
async def rows_come_late(dut):
    bench = await ExponentialsBench.on(dut, gaps=0.9)
    await bench.run(bench.corner_rows() + bench.realistic_rows(10))
