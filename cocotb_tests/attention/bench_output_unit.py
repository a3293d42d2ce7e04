"""Bench of `OutputUnit`. Parameters: configuration, seed.

The driver keeps the interleaver's promises: last beats at least width / output_columns cycles apart
and at most OUTPUT_ROWS rows under way.
"""

import random
from dataclasses import dataclass

import cocotb
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, random_pauses
from model.tests import formulas
from rtl_gen.attention.normalisation import normalised_row_layout
from rtl_gen.attention.output_unit import OutputUnit, column_beat_layout, output_row_layout
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.packing import pack, unpack


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


class Bench:
    """Sends rows and compares the finished ones."""

    def __init__(self, dut, pauses=None, gaps: float = 0.0):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.gaps = random_pauses(gaps, given["seed"])
        self.shape = column_beat_layout(self.config)
        self.row_shape = normalised_row_layout(self.config)
        self.edge = RisingEdge(dut.clk)
        self.sink = StreamSink(dut, "rows", output_row_layout(self.config), pauses)
        self.cycle = self.finished = self.taken = 0
        self.last_beat = -self.config.width
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        while True:
            await self.edge
            self.cycle += 1
            self.taken += int(self.dut.rows__valid.value) and int(self.dut.rows__ready.value)

    def row(self, beats: int, column) -> Row:
        channels = range(self.config.width)
        return Row(
            token=self.rng.randrange(self.config.max_tokens),
            beats=[[column() for _ in channels] for _ in range(beats)],
            multiplier=self.rng.randrange(1 << 14, 1 << 16),
            shift=self.rng.randint(20, 32),
        )

    async def send(self, row: Row) -> None:
        for index, beat in enumerate(row.beats):
            last = index == len(row.beats) - 1
            while next(self.gaps):
                await self._idle()
            while last and (
                self.cycle - self.last_beat < RowInterleaver.output_cycles(self.config)
                or self.finished - self.taken == RowInterleaver.OUTPUT_ROWS
            ):
                await self._idle()
            description = {"token": row.token, "multiplier": row.multiplier, "shift": row.shift}
            # Only the last beat's row counts.
            junk = unpack(self.row_shape, self.rng.getrandbits(self.row_shape.size))
            item = {
                "first": index == 0,
                "last": last,
                "row": description if last else junk,
                "columns": beat,
            }
            self.dut.beats__valid.value = 1
            self.dut.beats__payload.value = pack(self.shape, item)
            if last:
                self.last_beat, self.finished = self.cycle, self.finished + 1
            await self.edge
            self.dut.beats__valid.value = 0

    async def _idle(self) -> None:
        self.dut.beats__payload.value = self.rng.getrandbits(self.shape.size)
        await self.edge

    async def run(self, rows: list[Row]) -> None:
        for row in rows:
            await self.send(row)
        received = await self.sink.receive(len(rows))
        assert_equal("token", [r["token"] for r in received], [row.token for row in rows])
        assert_equal("output", [r["data"] for r in received], [row.output() for row in rows])


def rows(bench: Bench) -> list[Row]:
    """The largest sums of either sign, single beats in a row, and random rows."""
    depth, rng = bench.config.bank_depth, bench.rng
    most = 128 * 255 * bench.config.lanes
    constant = [
        bench.row(beats, lambda value=value: value)
        for value in (-most, 127 * 255 * bench.config.lanes, 0, -1)
        for beats in (1, depth)
    ]
    single = [bench.row(1, lambda: rng.randint(-most, most)) for _ in range(12)]
    mixed = [
        bench.row(rng.randint(1, depth), lambda: round(rng.gauss(0, most / 8))) for _ in range(15)
    ]
    return [*constant, *single, *mixed]


@cocotb.test()
async def latency(dut):
    await start(dut)
    bench = Bench(dut)
    for beats in (1, 3):
        begin = get_sim_time("ns")
        await bench.run([bench.row(beats, lambda: 1234)])
        cycles = round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS)
        assert_equal("cycles", cycles, beats - 1 + OutputUnit.latency(bench.config) + 1)


@cocotb.test()
async def full_rate(dut):
    await start(dut)
    bench = Bench(dut)
    await bench.run(rows(bench))


@cocotb.test()
async def gaps_and_stalls(dut):
    """Gaps with garbage on the data ports, and a consumer so slow that the queue fills."""
    await start(dut)
    bench = Bench(dut, random_pauses(0.9, 5), gaps=0.3)
    await bench.run(rows(bench))
