"""Bench of `OutputUnit`. Parameters: configuration, seed.

The driver keeps the interleaver's promises: last beats at least width / output_columns cycles apart
and at most OUTPUT_ROWS rows under way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from model.tests import formulas
from rtl_gen.attention.normalisation import normalised_row_layout
from rtl_gen.attention.output_unit import OutputUnit
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.interfaces.memories import OUTPUT_ROWS
from rtl_gen.interfaces.packing import unpack


@dataclass(frozen=True)
class Row:
    """Column sums of a row's beats, and the row's factor."""

    token: int
    beats: list[list[int]]
    multiplier: int
    shift: int

    def output(self) -> list[int]:
        totals = [sum(column) for column in zip(*self.beats, strict=True)]
        return [formulas.requantised(t, self.multiplier, self.shift, 8) for t in totals]


class OutputBench(UnitBench):
    """Sends rows and compares the finished ones."""

    UNIT = OutputUnit

    def __init__(self, dut, pauses: float = 0.0, gaps: float = 0.0):
        super().__init__(dut)
        self.gaps, self.finished = self.pauses(gaps), 0
        self.rows, self.taken = self.sink("rows", self.pauses(pauses)), 0
        self.last_beat = -self.config.width

    def row(self, beats: int, column) -> Row:
        channels = range(self.config.width)
        return Row(
            token=self.rng.randrange(self.config.max_tokens),
            beats=[[column() for _ in channels] for _ in range(beats)],
            multiplier=self.rng.randrange(1 << 14, 1 << 16),
            shift=self.rng.randint(20, 32),
        )

    async def send(self, row: Row) -> None:
        row_shape = normalised_row_layout(self.config)
        for index, beat in enumerate(row.beats):
            last = index == len(row.beats) - 1
            while next(self.gaps) or (last and self.must_wait()):
                await self._idle()
            description = {"token": row.token, "multiplier": row.multiplier, "shift": row.shift}
            # Only the last beat's row counts.
            junk = unpack(row_shape, self.rng.getrandbits(row_shape.size))
            item = {
                "first": index == 0,
                "last": last,
                "row": description if last else junk,
                "columns": beat,
            }
            self.set(beats__payload=item)
            if last:
                self.last_beat, self.finished = self.cycle, self.finished + 1
            await self.pulse("beats__valid")

    def must_wait(self) -> bool:
        """With the last beat of a row."""
        waiting = self.finished - self.taken - self.rows.pending()
        too_early = self.cycle - self.last_beat < RowInterleaver.output_cycles(self.config)
        return too_early or waiting == OUTPUT_ROWS

    async def _idle(self) -> None:
        shape = self.shapes["beats__payload"]
        self.dut.beats__payload.value = self.rng.getrandbits(shape.size)
        await self.edge

    async def run(self, rows: Sequence[Row]) -> int:
        """Cycles until the last row was taken."""
        begin = self.cycle
        for row in rows:
            await self.send(row)
        received = await self.rows.receive(len(rows))
        cycles = self.cycle - begin
        self.taken += len(rows)
        assert_equal("token", [r["token"] for r in received], [row.token for row in rows])
        assert_equal("output", [r["data"] for r in received], [row.output() for row in rows])
        return cycles

    def corners(self) -> list[Row]:
        """The largest sums of either sign, single beats in a row, and random rows."""
        depth, rng = self.config.bank_depth, self.rng
        most = 128 * 255 * self.config.lanes
        constant = [
            self.row(beats, lambda value=value: value)
            for value in (-most, 127 * 255 * self.config.lanes, 0, -1)
            for beats in (1, depth)
        ]
        single = [self.row(1, lambda: rng.randint(-most, most)) for _ in range(12)]
        mixed = [
            self.row(rng.randint(1, depth), lambda: round(rng.gauss(0, most / 8)))
            for _ in range(15)
        ]
        return [*constant, *single, *mixed]


@cocotb.test()
async def latency(dut):
    bench = await OutputBench.on(dut)
    for beats in (1, 3):
        cycles = await bench.run([bench.row(beats, lambda: 1234)])
        assert_equal("cycles", cycles, beats - 1 + OutputUnit.latency(bench.config) + 1)


@cocotb.test()
async def full_rate(dut):
    bench = await OutputBench.on(dut)
    await bench.run(bench.corners())


@cocotb.test()
async def gaps_and_stalls(dut):
    """Gaps with garbage on the data ports, and a consumer so slow that the queue fills."""
    bench = await OutputBench.on(dut, pauses=0.9, gaps=0.3)
    await bench.run(bench.corners())
