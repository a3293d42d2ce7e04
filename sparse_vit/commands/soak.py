"""Hours of random cases on the RTL, with a record that grows while they run.

Every failure is kept with the command that repeats it: the case alone if that suffices, else its
whole turn.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rtl_gen import cli
from rtl_gen.errors import UserError
from rtl_gen.json_file import write_json
from rtl_gen.progress import progress_over
from sparse_vit.soak.turns import KINDS, Turn, take

FILE = "soak.json"

console = Console()


@dataclass
class Record:
    """What came of a soak so far; `seconds` of all workers together, by kind."""

    seed: int
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    turns: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)

    def add(self, turn: Turn, seconds: float) -> None:
        self.seconds[turn.kind] += seconds
        self.turns[turn.kind] += 1
        self.counts.setdefault(turn.kind, Counter()).update(turn.counts)
        for problem in turn.problems:
            replay = f"sparse-vit soak --seed {self.seed} --kind {turn.kind} --turn {turn.number}"
            only = "" if problem.only is None else f" --only {problem.only}"
            self.failures.append({"problem": problem.what, "replay": replay + only})

    def contents(self) -> dict[str, Any]:
        kinds = {
            kind: {
                "turns": self.turns[kind],
                "core_hours": round(self.seconds[kind] / 3600, 3),
                **counts,
            }
            for kind, counts in self.counts.items()
        }
        return {"seed": self.seed, "kinds": kinds, "failures": self.failures}

    def table(self) -> Table:
        table = Table("kind", "turns", "core-hours", "tried", title=f"Soak, seed {self.seed}")
        for kind, counts in self.counts.items():
            tried = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            hours = f"{self.seconds[kind] / 3600:.2f}"
            table.add_row(kind, str(self.turns[kind]), hours, tried)
        return table


def soak(
    *,
    hours: Annotated[float, typer.Option(min=0, help="Wall time; a turn that began ends.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=cli.LARGEST_SEED, help="Draws everything.")] = 0,
    kind: Annotated[str | None, typer.Option(help=f"Only {', '.join(KINDS)}.")] = None,
    turn: Annotated[int | None, typer.Option(min=0, help="Only this turn of --kind.")] = None,
    only: Annotated[int | None, typer.Option(min=0, help="Only this case of --turn.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Turns at a time.")] = min(
        2, os.cpu_count() or 1
    ),
    out: Annotated[Path, typer.Option(help=f"Folder that gets {FILE}.")] = Path("build/soak"),
) -> dict[str, Any]:
    """Random units, networks, programs and damage in RTL for hours, every bit and every cycle."""
    if kind is not None and kind not in KINDS:
        raise UserError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    if turn is not None and kind is None:
        raise UserError(f"--turn {turn}: expected --kind with it")
    if only is not None and turn is None:
        raise UserError(f"--only {only}: expected --turn with it")
    console.print(f"seed {seed}")
    record = Record(seed)
    if kind is not None and turn is not None:
        _keep(record, _timed(kind, seed, turn, only), out)
    else:
        with progress_over(hours * 3600, "seconds", still=True) as advance:
            told = time.monotonic()
            for ended in _turns(record, [kind] if kind else list(KINDS), hours * 3600, workers):
                _keep(record, ended, out)
                now = time.monotonic()
                advance(now - told, turns=record.turns.total(), failures=len(record.failures))
                told = now
    console.print(record.table())
    console.print(str(out / FILE))
    for failure in record.failures:
        console.print(failure["problem"], failure["replay"], sep="\n  ", markup=False)
    if record.failures:
        raise UserError(
            f"{len(record.failures)} failures with seed {seed}: run the first one alone by "
            f"{record.failures[0]['replay']}"
        )
    return record.contents()


def _turns(
    record: Record, kinds: list[str], seconds: float, workers: int
) -> Iterator[tuple[Turn, float]]:
    """Turns until the time is over, one of each kind at least; that with the least time is next."""
    began = time.monotonic()
    numbers: Counter[str] = Counter()
    running: set[Future[tuple[Turn, float]]] = set()
    with ProcessPoolExecutor(workers) as pool:
        while True:
            late = time.monotonic() - began >= seconds
            while len(running) < workers:
                waiting = [kind for kind in kinds if not late or not numbers[kind]]
                if not waiting:
                    break
                kind = min(waiting, key=lambda kind: (record.seconds[kind], numbers[kind]))
                running.add(pool.submit(_timed, kind, record.seed, numbers[kind], None))
                numbers[kind] += 1
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def _timed(kind: str, seed: int, number: int, only: int | None) -> tuple[Turn, float]:
    began = time.monotonic()
    turn = take(kind, seed, number, only)
    return turn, time.monotonic() - began


def _keep(record: Record, ended: tuple[Turn, float], out: Path) -> None:
    record.add(*ended)
    write_json(out / FILE, record.contents())
