"""What the tests covered: a table, coverage.json, and coverage.info for viewers of LCOV."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from cocotb_tests.coverage.counts import Counts
from cocotb_tests.coverage.explained import Verdict, source_line
from cocotb_tests.coverage.points import Point


@dataclass(frozen=True)
class Share:
    """How many there are."""

    all: int
    covered: int
    explained: int

    def __str__(self) -> str:
        return f"{self.covered}/{self.all}"

    @property
    def percent(self) -> str:
        """Covered or explained."""
        done = self.covered + self.explained
        return f"{100 * done / self.all:.1f}" if self.all else "-"

    def as_dict(self) -> dict[str, int]:
        return {"all": self.all, "covered": self.covered, "explained": self.explained}


@dataclass(frozen=True)
class Report:
    """Counts and what is said of what they lack; `root` is where the sources' folder lies."""

    counts: Counts
    verdict: Verdict
    root: Path

    def table(self) -> Table:
        """A line a unit, and a line a cross of bins."""
        table = Table("unit", "lines", "%", "branches", "%", "explained")
        for column in table.columns[1:]:
            column.justify = "right"
        for file in [*self._files(), None]:
            if file is None:
                table.add_section()
            self._add_row(table, _unit(file) if file else "all", *self._shares(file))
        for cross in sorted({_cross(name) for name in self.counts.bins}):
            share = self._bins(cross)
            table.add_row(f"bins: {cross}", str(share), share.percent, "", "", str(share.explained))
        return table

    def _add_row(self, table: Table, name: str, lines: Share, branches: Share) -> None:
        explained = lines.explained + branches.explained
        cells = (str(lines), lines.percent, str(branches), branches.percent, str(explained))
        table.add_row(name, *cells)

    def open_lines(self) -> list[str]:
        """What is neither covered nor explained, with the text of its line."""
        return [self._named(one) for one in self.verdict.open]

    def contents(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        units = {}
        for file in self._files():
            lines, branches = self._shares(file)
            units[file] = {"lines": lines.as_dict(), "branches": branches.as_dict()}
        reasons = {self._named(one): why for one, why in self.verdict.reasons.items()}
        return {
            "units": units,
            "bins": dict(sorted(self.counts.bins.items())),
            "open": self.open_lines(),
            "explained": dict(sorted(reasons.items())),
            "stale": self.verdict.stale,
        }

    def lcov(self) -> str:
        """A tracefile of LCOV, as geninfo(1) describes it: lines, and branches by number."""
        parts = []
        for file in self._files():
            parts += ["TN:", f"SF:{self.root / file}"]
            points = sorted(point for point in self.counts.points if point.file == file)
            numbers: Counter[int] = Counter()
            for point in points:
                hits = self.counts.points[point]
                if point.branch:
                    parts.append(f"BRDA:{point.line},0,{numbers[point.line]},{hits}")
                    numbers[point.line] += 1
                else:
                    parts.append(f"DA:{point.line},{hits}")
            parts.append("end_of_record")
        return "\n".join([*parts, ""])

    def _files(self) -> list[str]:
        return sorted({point.file for point in self.counts.points})

    def _shares(self, file: str | None) -> tuple[Share, Share]:
        """Lines and branches of a file, or of all."""
        sides = defaultdict(list)
        for point in self.counts.points:
            if file in (None, point.file):
                sides[bool(point.branch)].append(point)
        return self._share(sides[False]), self._share(sides[True])

    def _share(self, points: Iterable[Point]) -> Share:
        points = list(points)
        covered = sum(self.counts.points[point] > 0 for point in points)
        return Share(len(points), covered, sum(point in self.verdict.reasons for point in points))

    def _bins(self, cross: str) -> Share:
        bins = [name for name in self.counts.bins if _cross(name) == cross]
        covered = sum(self.counts.bins[name] > 0 for name in bins)
        return Share(len(bins), covered, sum(name in self.verdict.reasons for name in bins))

    def _named(self, one: Point | str) -> str:
        return f"{one}: {source_line(self.root, one)}" if isinstance(one, Point) else one


def _unit(file: str) -> str:
    return file.removeprefix("rtl_gen/").removesuffix(".py").replace("/", ".")


def _cross(name: str) -> str:
    return name.partition(":")[0]
