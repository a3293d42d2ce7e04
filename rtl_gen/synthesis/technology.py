"""What cells of a technology count as, and how many of them its parts have."""

from collections.abc import Mapping
from dataclasses import dataclass

Counts = dict[str, float]
"""Number by column."""


@dataclass(frozen=True, kw_only=True)
class Technology:
    """Programmable logic as the tables of a flow show it."""

    headings: Mapping[str, str]
    """What the vendor calls each column."""
    cells: Mapping[str, tuple[str, float]]
    """The column that a cell counts in, and as how many."""
    takes: Mapping[str, Mapping[str, float]]
    """What of a part the columns take, and how much of it one of a column takes."""
    parts: Mapping[str, Mapping[str, int]]
    """How much of it each part has."""

    def count(self, cells: Mapping[str, int]) -> Counts:
        """From the number of cells of each type, as Yosys counts them."""
        counts: Counts = dict.fromkeys(self.headings, 0)
        for cell, number in cells.items():
            if cell in self.cells:
                column, each = self.cells[cell]
                counts[column] += number * each
        return counts

    def needed(self, counts: Mapping[str, float], part: str) -> dict[str, tuple[float, int]]:
        """Of the part: needed and available number by name."""
        return {
            name: (
                sum(counts[column] * each for column, each in self.takes[name].items()),
                available,
            )
            for name, available in self.parts[part].items()
        }


def add(counts: list[Counts], columns: Mapping[str, str]) -> Counts:
    """Their sums."""
    return {column: sum(one[column] for one in counts) for column in columns}


def shortage(needed: Mapping[str, tuple[float, int]]) -> dict[str, tuple[float, int]]:
    """What there is too little of."""
    return {name: numbers for name, numbers in needed.items() if numbers[0] > numbers[1]}
