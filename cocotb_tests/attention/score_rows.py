"""Query rows of scores and what softmax makes of them, for the benches of its passes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cocotb_tests.harness.unit_bench import UnitBench
from model.tests import formulas
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

    @property
    def largest(self) -> int:
        return max(self.scores, default=LOWEST)

    @property
    def ended(self) -> dict[str, int]:
        return {"token": self.token, "last_beat": len(self.beats) - 1}

    def exponentials(self) -> list[list[int]]:
        return [
            [0 if score is None else formulas.exponential(self.largest - score) for score in beat]
            for beat in self.beats
        ]

    def exp_sum(self) -> int:
        return sum(map(sum, self.exponentials()))

    def assert_normalised(self, offered: dict[str, int], scale: Scale) -> None:
        """`offered` is the row with its factors; an empty row has only a token and a length."""
        wanted = self.ended | {"length": 0}
        if self.scores:
            mantissa, length = formulas.reciprocal(self.exp_sum())
            multiplier, shift = formulas.row_factor(mantissa, length, *scale)
            wanted |= {"mantissa": mantissa, "length": length, "multiplier": multiplier}
            wanted["shift"] = min(shift, 63)  # leaves nothing of an output, as larger ones do
        offered = {name: offered[name] for name in wanted}
        assert offered == wanted, f"expected {wanted}, actual {offered}"


class RowsBench(UnitBench):
    """Makes rows of scores."""

    def row(self, beats: int, score: Callable[[], int | None], density: float = 1.0) -> Row:
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

    def corner_rows(self) -> list[Row]:
        """Lengths, ties, extreme scores, single keys, empty rows, distances around table ends."""
        depth, last_lane, rng = self.config.bank_depth, self.config.lanes - 1, self.rng
        top = 9 * 256 + 2
        ends = [0, 1, 255, 256, 257, 8 * 256, 8 * 256 + 255, 9 * 256 - 1, 9 * 256, top, HIGHEST]
        distances = [self.row(depth, lambda: 20_000 - rng.choice(ends)) for _ in range(6)]
        for row in distances:
            row.beats[rng.randrange(depth)][0] = 20_000
        return [
            *(self.row(beats, lambda: rng.randint(-999, 999)) for beats in range(1, depth + 1)),
            *(self.row(depth, lambda score=score: score) for score in (LOWEST, -7, 0, HIGHEST)),
            *(self.row(depth, lambda: rng.choice([LOWEST, HIGHEST])) for _ in range(2)),
            self.single(1, 0, 0, LOWEST),
            self.single(depth, depth - 1, last_lane, LOWEST),
            self.single(depth, 0, last_lane, HIGHEST),
            self.row(1, lambda: None),
            self.row(1, lambda: 5),
            self.row(1, lambda: None),
            *distances,
        ]

    def realistic_rows(self, count: int) -> list[Row]:
        depth, rng = self.config.bank_depth, self.rng
        return [
            self.row(rng.randint(1, depth), lambda: round(rng.gauss(0, 700)), rng.uniform(0.3, 1))
            for _ in range(count)
        ]

    def score_beats(self, row: Row) -> Iterator[dict]:
        """As the array sends them: idle lanes and tokens before the last beat are anything."""
        lanes = range(self.config.lanes)
        for index, beat in enumerate(row.beats):
            last = index == len(row.beats) - 1
            yield {
                "token": row.token if last else self.rng.randrange(self.config.max_tokens),
                "last": last,
                "valid": sum(1 << lane for lane in lanes if beat[lane] is not None),
                "scores": [self.rng.randint(LOWEST, HIGHEST) if s is None else s for s in beat],
            }

    def place(self, row: int, beat: int) -> int:
        """Of a beat of the row-th row since reset."""
        return row % self.config.row_slots << self.config.word_bits | beat

    def places(self, rows: list[Row], first: int = 0) -> list[int]:
        """Of all beats of rows, the first of which is the `first` since reset."""
        return [
            self.place(first + index, beat)
            for index, row in enumerate(rows)
            for beat in range(len(row.beats))
        ]
