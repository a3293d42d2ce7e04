"""What a campaign counted: a table, and build/faults/faults.json."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from cocotb_tests.faults.flips import CLAIMED, Flip, Kind
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.json_file import write_json

ENDED = DETECTED, MASKED, HANG, SILENT = "detected", "masked", "hang", "silent"
"""What becomes of a flip: an error code, right results, no end, wrong results and no error."""


@dataclass(frozen=True)
class Outcome:
    """What became of a flip."""

    flip: Flip
    ended: str
    """One of ENDED."""
    code: int | None
    """The error code, if one could be read."""

    @property
    def error(self) -> str:
        """Its name; a register of it that flips may hold any number."""
        known = {int(code): code.name for code in ErrorCode}
        return "" if self.code is None else known.get(self.code, str(self.code))


@dataclass
class Report:
    """Counts of a campaign."""

    config: AcceleratorConfig
    seed: int
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def count(self, kind: Kind, ended: str) -> int:
        return sum((one.flip.kind, one.ended) == (kind, ended) for one in self.outcomes)

    def errors(self, kind: Kind) -> Counter[str]:
        """Error codes by name."""
        found = (one for one in self.outcomes if one.flip.kind == kind and one.ended == DETECTED)
        return Counter(one.error for one in found)

    def table(self) -> Table:
        """A line a kind of bit."""
        table = Table("bit of", "flips", *ENDED, "errors", title=f"Faults, seed {self.seed}")
        for column in table.columns[1:-1]:
            column.justify = "right"
        for kind in Kind:
            counts = [self.count(kind, ended) for ended in ENDED]
            errors = ", ".join(f"{name} {n}" for name, n in self.errors(kind).most_common())
            table.add_row(kind.value, *map(str, (sum(counts), *counts)), errors)
        return table

    def contents(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "seed": self.seed,
            "config": self.config.as_dict(),
            "flips": len(self.outcomes),
            "counts": {
                kind.value: {ended: self.count(kind, ended) for ended in ENDED} for kind in Kind
            },
            "outcomes": [
                {**asdict(one.flip), "ended": one.ended, "error": one.error}
                for one in self.outcomes
            ],
        }

    def write(self, path: Path) -> None:
        write_json(path, self.contents())

    def require_none_silent(self) -> None:
        """Raise UserError if anything is silent that checksum and parity claim to show."""
        for one in self.outcomes:
            if one.ended == SILENT and one.flip.kind in CLAIMED:
                raise UserError(
                    f"a flip of kind {one.flip.kind} is silent: expected an error code, run it "
                    f"alone by sparse-vit faults --seed {self.seed} --flip {one.flip.number}"
                )
