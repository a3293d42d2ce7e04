"""What fuzzing counted: a table, and build/fuzz/report.json."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from rtl_gen.json_file import write_json

HARDWARE, SOFTWARE = "hardware", "software"


@dataclass
class Report:
    """Counts and failures of one run."""

    seed: int
    counts: dict[tuple[str, str], Counter] = field(default_factory=lambda: defaultdict(Counter))
    """By half (with its simulator) and class of damage: how often it ended in what."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Wall time by half."""

    def total(self, half: str) -> int:
        """Cases or attempts of a half, those of all simulators."""
        return sum(
            ended.total() for (part, _), ended in self.counts.items() if part.startswith(half)
        )

    def contents(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "seed": self.seed,
            "seconds": {half: round(value, 1) for half, value in self.seconds.items()},
            "programs": self.total(HARDWARE),
            "attempts": self.total(SOFTWARE),
            "counts": [
                {"half": half, "damage": damage, "ended": dict(ended.most_common())}
                for (half, damage), ended in self.counts.items()
            ],
            "failures": self.failures,
        }

    def write(self, path: Path) -> None:
        write_json(path, self.contents())

    def table(self) -> Table:
        """A line a class of damage."""
        table = Table(
            title=f"Fuzzing, seed {self.seed}",
            caption=f"{self.total(HARDWARE):,} programs, {self.total(SOFTWARE):,} files and "
            f"arguments, {len(self.failures)} failures",
        )
        for name in ("half", "damage"):
            table.add_column(name)
        table.add_column("count", justify="right")
        table.add_column("ended in")
        for (half, damage), ended in self.counts.items():
            parts = (f"{name} {count}" for name, count in ended.most_common())
            table.add_row(half, damage, f"{ended.total():,}", ", ".join(parts))
        return table
