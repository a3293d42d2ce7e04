"""How often what was reached: read from a run, added up over runs.

A folder of counts has one file for each design, so that a run is added in milliseconds, whoever
else adds at the time.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

from filelock import FileLock

from cocotb_tests.coverage.bins import read_bins
from cocotb_tests.coverage.points import Point, point_of
from cocotb_tests.coverage.probes import probes
from rtl_gen.json_file import write_json

RAW = "raw"
"""Folder below that of the coverage."""

_COUNTED = re.compile(r"^C '.*?\x01l\x02(\d+)\x01.*?\x01page\x02v_user/.*' (\d+)$")
"""A line of Verilator's file: the line in the Verilog of a cover, and how often."""


@dataclass
class Counts:
    """What was never reached is there with 0."""

    points: Counter[Point] = field(default_factory=Counter)
    """Cycles."""
    bins: Counter[str] = field(default_factory=Counter)
    """Samples of what programs did."""

    @classmethod
    def of_run(cls, source: Path, covers: Path, bins: Path) -> Self:
        """Of the Verilog that ran, and what Verilator and the bench left, if they did."""
        counts = cls()
        standing_for = _probes(source)
        for points in standing_for.values():
            counts.points.update(dict.fromkeys(points, 0))
        for line in covers.read_text().splitlines() if covers.exists() else ():
            if (counted := _COUNTED.match(line)) and int(counted[1]) in standing_for:
                for point in standing_for[int(counted[1])]:
                    counts.points[point] += int(counted[2])
        if bins.exists():
            counts.bins = read_bins(bins)
        return counts

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """All of them."""
        counts = cls()
        for path in sorted((folder / RAW).glob("*.json")):
            counts.update(cls._read(path))
        return counts

    def update(self, others: "Counts") -> None:
        """Add them."""
        self.points.update(others.points)
        self.bins.update(others.bins)

    def add_to(self, folder: Path, design: str) -> None:
        """Add these to what a folder has of a design."""
        path = folder / RAW / f"{design}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            total = self._read(path) if path.exists() else Counts()
            total.update(self)
            points = {str(point): count for point, count in sorted(total.points.items())}
            write_json(path, {"points": points, "bins": dict(total.bins)})

    @classmethod
    def _read(cls, path: Path) -> Self:
        content = json.loads(path.read_text())
        points = Counter({point_of(text): n for text, n in content["points"].items()})
        return cls(points, Counter(content["bins"]))


@lru_cache(maxsize=8)
def _probes(source: Path) -> dict[int, list[Point]]:
    return probes(source.read_text())
