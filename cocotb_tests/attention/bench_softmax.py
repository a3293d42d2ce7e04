"""Bench of `Softmax`: beats of scores in, exponentials and normalised rows out.

Parameters: configuration, seed. The driver keeps the unit's contract: at most `row_slots` rows
between their first score and the pick-up of their normalisation.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import cocotb
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, random_pauses
from model.tests import formulas
from rtl_gen.attention.exponentials import exponentials_layout
from rtl_gen.attention.normalisation import normalised_row_layout
from rtl_gen.attention.row_maximum import score_beat_layout
from rtl_gen.attention.row_slots import slot_write_layout
from rtl_gen.attention.softmax import Softmax
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import scale_layout
from rtl_gen.interfaces.packing import pack, unpack
from rtl_gen.numerics import Scale

LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1


@dataclass(frozen=True)
class Row:
    """A query row as it comes: for every beat and lane a score, None where the lane is idle."""

    token: int
    beats: list[list[int | None]]

    @property
    def scores(self) -> list[int]:
        return [score for beat in self.beats for score in beat if score is not None]

    def exponentials(self) -> list[list[int]]:
        largest = max(self.scores, default=0)
        return [
            [0 if score is None else formulas.exponential(largest - score) for score in beat]
            for beat in self.beats
        ]

    def normalised(self, scale: Scale) -> dict[str, int]:
        """The row as the unit should offer it; an empty row has only a token and a length."""
        row = {"token": self.token, "last_beat": len(self.beats) - 1}
        if not self.scores:
            return row | {"length": 0}
        mantissa, length = formulas.reciprocal(sum(map(sum, self.exponentials())))
        multiplier, shift = formulas.row_factor(mantissa, length, *scale)
        return row | {
            "mantissa": mantissa,
            "length": length,
            "multiplier": multiplier,
            "shift": min(shift, 63),  # leaves nothing of an output, as larger ones do
        }


class Bench:
    """Drives score beats, watches exponentials and rows, and compares both."""

    def __init__(self, dut, sink_pauses: Iterable[bool] | None = None, gaps: float = 0.0):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.gaps = random_pauses(gaps, given["seed"])
        self.row_shape = normalised_row_layout(self.config)
        self.score_shape = score_beat_layout(self.config)
        self.exp_shape = slot_write_layout(self.config, exponentials_layout(self.config))
        self.edge = RisingEdge(dut.clk)
        self.sink = StreamSink(dut, "rows", self.row_shape, sink_pauses)
        self.picked_up = 0
        self.slot = 0
        self.exponentials: list[tuple[int, list[int]]] = []
        cocotb.start_soon(self._watch())

    def row(self, beats: int, score, density: float = 1.0) -> Row:
        """`score()` for every lane of `beats` beats that works."""
        lanes = range(self.config.lanes)
        return Row(
            self.rng.randrange(self.config.max_tokens),
            [
                [score() if self.rng.random() < density else None for _ in lanes]
                for _ in range(beats)
            ],
        )

    def single(self, beats: int, beat: int, lane: int, score: int) -> Row:
        """One kept key."""
        row = self.row(beats, lambda: None)
        row.beats[beat][lane] = score
        return row

    async def run(self, rows: list[Row], scale: Scale) -> None:
        """Send `rows`, one after the other, and compare all that comes out."""
        self.dut.output_scale.value = pack(scale_layout(), scale._asdict())
        word_bits, slots = self.config.word_bits, self.config.row_slots
        expected = []
        sent = self.picked_up
        for row in rows:
            while sent - self.picked_up >= slots:
                await self.edge
            for beat, exponentials in enumerate(row.exponentials()):
                expected.append((self.slot << word_bits | beat, exponentials))
            self.slot = (self.slot + 1) % slots
            await self._send(row)
            sent += 1
        actual = await self.sink.receive(len(rows))
        for index, (row, offered) in enumerate(zip(rows, actual, strict=True)):
            wanted = row.normalised(scale)
            if not row.scores:
                offered = {name: offered[name] for name in wanted}
            assert offered == wanted, f"row {index}: expected {wanted}, actual {offered}"
        addresses, exponentials = zip(*self.exponentials, strict=True)
        assert_equal("exp_address", addresses, [address for address, _ in expected])
        assert_equal("exponentials", exponentials, [values for _, values in expected])
        self.exponentials.clear()

    async def _send(self, row: Row) -> None:
        dut, lanes = self.dut, range(self.config.lanes)
        for index, beat in enumerate(row.beats):
            while next(self.gaps):
                await self.edge
            scores = [self.rng.randint(LOWEST, HIGHEST) if s is None else s for s in beat]
            last = index == len(row.beats) - 1
            item = {
                "token": row.token if last else self.rng.randrange(self.config.max_tokens),
                "last": last,
                "valid": sum(1 << lane for lane in lanes if beat[lane] is not None),
                "scores": scores,
            }
            dut.scores__valid.value = 1
            dut.scores__payload.value = pack(self.score_shape, item)
            await self.edge
            dut.scores__valid.value = 0

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await self.edge
            self.picked_up += int(dut.rows__valid.value) and int(dut.rows__ready.value)
            if int(dut.exponentials__valid.value):
                beat = unpack(self.exp_shape, int(dut.exponentials__payload.value))
                self.exponentials.append((beat["address"], beat["data"]))


def corner_rows(bench: Bench) -> list[Row]:
    """Lengths, ties, extreme scores, single keys, empty rows, distances around each table end."""
    depth, last_lane = bench.config.bank_depth, bench.config.lanes - 1
    rng = bench.rng
    top = 9 * 256 + 2
    ends = [0, 1, 255, 256, 257, 8 * 256, 8 * 256 + 255, 9 * 256 - 1, 9 * 256, top, HIGHEST]
    distances = [bench.row(depth, lambda: 20_000 - rng.choice(ends)) for _ in range(6)]
    for row in distances:
        row.beats[rng.randrange(depth)][0] = 20_000
    return [
        *(bench.row(beats, lambda: rng.randint(-999, 999)) for beats in range(1, depth + 1)),
        *(bench.row(depth, lambda score=score: score) for score in (LOWEST, -7, 0, HIGHEST)),
        *(bench.row(depth, lambda: rng.choice([LOWEST, HIGHEST])) for _ in range(2)),
        bench.single(1, 0, 0, LOWEST),
        bench.single(depth, depth - 1, last_lane, LOWEST),
        bench.single(depth, 0, last_lane, HIGHEST),
        bench.row(1, lambda: None),
        bench.row(1, lambda: 5),
        bench.row(1, lambda: None),
        *distances,
    ]


def realistic_rows(bench: Bench, count: int) -> list[Row]:
    depth, rng = bench.config.bank_depth, bench.rng
    return [
        bench.row(rng.randint(1, depth), lambda: round(rng.gauss(0, 700)), rng.uniform(0.3, 1))
        for _ in range(count)
    ]


@cocotb.test()
async def latency(dut):
    """A lone row of b beats is offered after its own two passes and the two latencies."""
    await start(dut)
    bench = Bench(dut)
    fixed = Softmax.row_max_latency(bench.config) + Softmax.normalise_latency(bench.config)
    for beats in (1, 2, bench.config.bank_depth):
        begin = get_sim_time("ns")
        await bench.run([bench.row(beats, lambda: 3)], Scale(1 << 15, 15))
        cycles = round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS)
        assert_equal(f"cycles of {beats} beats", cycles, 2 * (beats - 1) + fixed + 1)


@cocotb.test()
async def back_to_back(dut):
    """Rows without gaps, for several output factors."""
    await start(dut)
    bench = Bench(dut)
    for scale in (Scale(1 << 15, 1), Scale((1 << 16) - 1, 63), Scale(45_678, 15)):
        await bench.run(corner_rows(bench) + realistic_rows(bench, 15), scale)


@cocotb.test()
async def gaps_and_late_pick_up(dut):
    """Gaps between beats, and a consumer that leaves rows waiting."""
    await start(dut)
    bench = Bench(dut, sink_pauses=random_pauses(0.95, 7), gaps=0.4)
    await bench.run(corner_rows(bench) + realistic_rows(bench, 15), Scale(40_000, 20))
