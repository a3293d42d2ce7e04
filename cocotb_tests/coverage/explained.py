"""What cannot be covered and why: `explained.yaml`, held against what a run counted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cocotb_tests.coverage.counts import Counts
from cocotb_tests.coverage.points import Point
from rtl_gen.errors import UserError

FILE = Path(__file__).with_name("explained.yaml")


class LineReason(BaseModel):
    """Why what stands in the lines of a file that have this text cannot be reached."""

    model_config = ConfigDict(extra="forbid")

    file: str
    text: str
    branch: str | None = None
    """Of the lines only this branch; by default all that was not reached."""
    reason: str

    def is_about(self, point: Point, root: Path) -> bool:
        return (
            point.file == self.file
            and self.branch in (None, point.branch)
            and self.text in source_line(root, point)
        )


class BinReason(BaseModel):
    """Why the bins whose names match cannot be sampled."""

    model_config = ConfigDict(extra="forbid")

    bins: str
    """A regular expression."""
    reason: str


class Explained(BaseModel):
    """All reasons."""

    model_config = ConfigDict(extra="forbid")

    lines: list[LineReason] = []
    bins: list[BinReason] = []

    @classmethod
    def read(cls, path: Path = FILE) -> Self:
        """Raises UserError if the file does not hold reasons."""
        try:
            return cls(**yaml.safe_load(path.read_text()) or {})
        except (TypeError, ValidationError, yaml.YAMLError) as error:
            raise UserError(
                f"{path}: expected lines and bins with their reasons: {error}"
            ) from None


@dataclass
class Verdict:
    """What was not reached, by whether a reason is known."""

    reasons: dict[Point | str, str] = field(default_factory=dict)
    """Of points and bins."""
    open: list[Point | str] = field(default_factory=list)
    """Without one."""
    stale: list[str] = field(default_factory=list)
    """Explanations of what was reached, or is not there any more."""


def judge(counts: Counts, explained: Explained, root: Path, *, whole: bool) -> Verdict:
    """Hold counts against reasons; `root` is where the sources' folder lies.

    An explanation of what no test has met is stale only if the tests were run as a `whole`.
    """
    verdict = Verdict()
    missed = {point for point, count in counts.points.items() if not count}
    for reason in explained.lines:
        about = {point for point in counts.points if reason.is_about(point, root)}
        verdict.reasons |= dict.fromkeys(about & missed, reason.reason)
        if not about & missed and (about or whole):
            verdict.stale.append(f"{reason.file}: {reason.text}")
    holes = {name for name, count in counts.bins.items() if not count}
    for reason in explained.bins:
        about = set(_matching(reason.bins, counts.bins))
        verdict.reasons |= dict.fromkeys(about & holes, reason.reason)
        if about - holes or (whole and not about):
            verdict.stale.append(f"bins {reason.bins}")
    verdict.open += sorted(missed - verdict.reasons.keys())
    verdict.open += sorted(holes - verdict.reasons.keys())
    return verdict


def source_line(root: Path, point: Point) -> str:
    """The text of a point's line."""
    lines = _lines(root / point.file)
    return lines[point.line - 1].strip() if point.line <= len(lines) else ""


@cache
def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if re.fullmatch(pattern, name)]
