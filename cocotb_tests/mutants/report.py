"""What a draw of mutants says: how many were noticed by what, and what was not."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cocotb_tests.mutants.drawing import Drawn
from cocotb_tests.mutants.judging import SURVIVES


@dataclass
class Report:
    """Mutants by their folder."""

    seed: int
    noticed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By folder and by the tests that noticed."""
    survivors: list[Drawn] = field(default_factory=list)
    equivalent: Counter[str] = field(default_factory=Counter)
    """Those that make no difference."""

    def add(self, drawn: Drawn, by: str) -> None:
        if by == SURVIVES:
            self.survivors.append(drawn)
        else:
            self.noticed[drawn.package, by] += 1

    def folders(self) -> list[dict[str, Any]]:
        """A row a folder, and one of all: mutants, noticed, equivalent and surviving ones."""
        alive = Counter(one.package for one in self.survivors)
        dead = Counter[str]()
        for (folder, _), count in self.noticed.items():
            dead[folder] += count
        names = sorted({*alive, *dead, *self.equivalent})
        rows = [_row(name, dead[name], self.equivalent[name], alive[name]) for name in names]
        return [*rows, _row("all", dead.total(), self.equivalent.total(), alive.total())]

    def contents(self) -> dict[str, Any]:
        """For the JSON file."""
        stages = Counter[str]()
        for (_, stage), count in self.noticed.items():
            stages[stage] += count
        return {
            "seed": self.seed,
            "folders": self.folders(),
            "noticed_by": dict(sorted(stages.items())),
            "survivors": [
                {
                    "module": one.module,
                    "line": one.mutant.line,
                    "before": one.mutant.before,
                    "after": one.mutant.after,
                }
                for one in sorted(self.survivors, key=lambda one: (one.module, one.number))
            ],
        }

    def show(self, console: Console) -> None:
        """Both tables."""
        contents = self.contents()
        table = Table(*contents["folders"][-1])
        for row in contents["folders"]:
            table.add_row(*map(str, row.values()))
        console.print(table)
        table = Table("module", "line", "is", "survives as")
        for row in contents["survivors"]:
            texts = (escape(row["before"]), escape(row["after"]))
            table.add_row(row["module"], str(row["line"]), *texts)
        if contents["survivors"]:
            console.print(table)
        console.print(f"seed {self.seed}")


def _row(folder: str, noticed: int, equivalent: int, alive: int) -> dict[str, Any]:
    count = noticed + alive
    return {
        "folder": folder,
        "mutants": count + equivalent,
        "equivalent": equivalent,
        "noticed": noticed,
        "surviving": alive,
        "noticed_percent": round(100 * noticed / count, 2) if count else None,
    }
