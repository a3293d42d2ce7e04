"""Lines and branches of the sources, and what names them."""

from collections.abc import Iterable
from typing import NamedTuple


class Point(NamedTuple):
    """A line with statements, or a branch of what stands in it."""

    file: str
    """Such as "rtl_gen/pruning/topk.py"."""
    line: int
    branch: str = ""
    """Of a branch what becomes of it: an If is "taken" or "not taken", a case of a Switch or a
    state "entered", the first value of a Mux "chosen", or "else" the second.
    """

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f" {self.branch}" if self.branch else "")


def point_of(text: str) -> Point:
    """From what `str` made."""
    file, _, rest = text.rpartition(":")
    line, _, branch = rest.partition(" ")
    return Point(file, int(line), branch)


def text_of(points: Iterable[Point]) -> str:
    """On one line."""
    return "; ".join(map(str, sorted(points)))


def points_of(text: str) -> list[Point]:
    """From what `text_of` made."""
    return [point_of(one) for one in text.split("; ")]
