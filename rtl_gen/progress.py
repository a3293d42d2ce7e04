"""Progress of long work on standard error: a bar on a terminal, elsewhere a line now and then."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

INTERVAL = 30.0
"""Seconds between two lines in a file or a pipe; work that takes less leaves none."""


class Advance(Protocol):
    """Tells of finished work."""

    def __call__(self, done: float = 1, /, **figures: float) -> None:
        """`done` more is finished; figures, such as a loss, are shown until the next ones."""


def progress_over(
    total: float, unit: str = "images", *, done: float = 0, still: bool = False
) -> AbstractContextManager[Advance]:
    """Show how much of `total` is finished while the block runs, in which the work tells it.

    Args:
        total: all that there is to do.
        unit: what is counted.
        done: what an earlier run has finished of it.
        still: draw only when the work tells something, because it writes on standard error, too.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        return _bar(console, total, unit, done, still=still)
    return _lines(console, total, unit, done, still=still)


@contextmanager
def status(first: str) -> Iterator[Callable[[str], object]]:
    """Show what is being done while the block runs, `first` and then what it says."""
    console, said = Console(stderr=True), [first]
    if console.is_terminal:
        with console.status(first) as shown:
            yield shown.update
    else:
        with _from_time_to_time(lambda: _write(console, said[-1])):
            yield said.append


@contextmanager
def _bar(
    console: Console, total: float, unit: str, done: float, *, still: bool
) -> Iterator[Advance]:
    columns = (
        *Progress.get_default_columns()[:-1],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    redirect = not still
    with Progress(
        *columns,
        console=console,
        auto_refresh=not still,
        redirect_stdout=redirect,
        redirect_stderr=redirect,
    ) as bar:
        task = bar.add_task(unit, total=total, completed=int(done), figures="")

        def advance(done: float = 1, /, **figures: float) -> None:
            bar.update(task, advance=done, refresh=still)
            if figures:
                bar.update(task, figures=_shown(figures))

        yield advance


@contextmanager
def _lines(
    console: Console, total: float, unit: str, done: float, *, still: bool
) -> Iterator[Advance]:
    line = _Line(total, unit, done)

    def write() -> None:
        _write(console, line.text())

    def advance(done: float = 1, /, **figures: float) -> None:
        line.add(done, figures)
        if still and time.monotonic() - line.last >= INTERVAL:
            write()

    with nullcontext() if still else _from_time_to_time(write):
        yield advance
    if time.monotonic() - line.began >= INTERVAL:
        write()


@contextmanager
def _from_time_to_time(write: Callable[[], object]) -> Iterator[None]:
    """A thread writes while the block runs, whatever that does."""
    ended = threading.Event()

    def keep_writing() -> None:
        while not ended.wait(INTERVAL):
            write()

    writer = threading.Thread(target=keep_writing, daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def _write(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Line:
    total: float
    unit: str
    before: float
    finished: float = 0
    first: tuple[float, float] | None = None
    """When work was first told, and how much: what came before may have been preparation."""
    figures: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def add(self, done: float, figures: dict[str, float]) -> None:
        self.finished += done
        self.figures.update(figures)
        if self.first is None:
            self.first = time.monotonic(), self.finished

    def text(self) -> str:
        """Such as: images: 120 of 1,000 (12 %), 0:00:42, 0:05:08 left, loss 0.1234."""
        self.last = time.monotonic()
        seconds, done = self.last - self.began, self.before + self.finished
        share = f" ({100 * done / self.total:.0f} %)" if self.total else ""
        parts = [f"{self.unit}: {done:,.0f} of {self.total:,.0f}{share}", _time(seconds)]
        if self.first is not None and self.finished > self.first[1] and done < self.total:
            pace = (self.last - self.first[0]) / (self.finished - self.first[1])
            parts.append(f"{_time(pace * (self.total - done))} left")
        return ", ".join([*parts, *filter(None, [_shown(self.figures)])])


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _shown(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
