"""The command `sparse-vit coverage`."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cocotb_tests.coverage.bins import all_bins
from cocotb_tests.coverage.counts import RAW, Counts
from cocotb_tests.coverage.explained import Explained, judge
from cocotb_tests.coverage.probes import SOURCES
from cocotb_tests.coverage.report import Report
from cocotb_tests.harness.pytest_run import run_pytest
from rtl_gen.errors import UserError
from rtl_gen.files import make_folder, write_if_changed
from rtl_gen.json_file import json_text

FILE, LCOV = "coverage.json", "coverage.info"
ROOT = SOURCES.parent
BENCHES = Path(__file__).parents[1]

PROGRAMS = "network"
"""Folder of the benches that run programs on the whole accelerator."""
TOOLS = ("coverage", "faults", "fuzz", "harness", "mutants")
"""Folders of tests that are of no unit."""
_OF_PROGRAMS = ("rtl_gen/accelerator.py", "rtl_gen/core/")
"""What has no bench of its own."""


def coverage(
    *,
    unit: Annotated[
        str | None, typer.Option(help="Only the benches and sources of this folder.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Simulations at a time.")] = 1,
    out: Annotated[Path, typer.Option(help=f"Folder that gets {FILE} and {LCOV}.")] = Path(
        "build/coverage"
    ),
) -> dict[str, Any]:
    """Run the co-simulations on Verilator: which lines and branches of the hardware they reach.

    What they do not reach has to stand in cocotb_tests/coverage/explained.yaml with its reason, or
    the command fails.
    """
    chosen, explained = _folders(unit), Explained.read()
    make_folder(out)
    shutil.rmtree(out / RAW, ignore_errors=True)
    failed = _run_tests(chosen, out, workers)
    counts = _of_unit(Counts.in_folder(out), unit)
    verdict = judge(counts, explained, ROOT, whole=unit is None)
    report = Report(counts, verdict, ROOT)
    console = Console()
    console.print(report.table())
    for line in report.open_lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    write_if_changed(out / LCOV, report.lcov())
    write_if_changed(out / FILE, json_text(report.contents()))
    console.print(str(out / FILE))
    _require(verdict.stale, len(verdict.open), failed=failed)
    return report.contents()


def _folders(unit: str | None) -> list[Path]:
    tests = sorted({path.parent for path in BENCHES.glob("*/test_*.py")})
    known = [path for path in tests if path.name not in TOOLS]
    chosen = [path for path in known if unit in (None, path.name)]
    if not known:
        raise UserError("the benches are not installed: run this in the project's tree")
    if not chosen:
        names = ", ".join(path.name for path in known)
        raise UserError(f"no folder of benches {unit!r}: expected one of {names}")
    return chosen


def _run_tests(folders: list[Path], out: Path, workers: int) -> bool:
    """Whether any fails."""
    return run_pytest([f"--coverage={out.resolve()}", *map(str, folders)], workers=workers) != 0


def _of_unit(counts: Counts, unit: str | None) -> Counts:
    """The unit's sources; programs are those of the network."""
    bins = Counter()
    if unit in (None, PROGRAMS):
        bins = all_bins()
        bins.update(counts.bins)
    places = {None: ("",), PROGRAMS: _OF_PROGRAMS}.get(unit, (f"rtl_gen/{unit}/",))
    points = {point: n for point, n in counts.points.items() if point.file.startswith(places)}
    return Counts(Counter(points), bins)


def _require(stale: list[str], holes: int, *, failed: bool) -> None:
    """Raise UserError unless the tests passed and all is covered or explained."""
    if failed:
        raise UserError("tests fail: coverage counts only if they all pass")
    if stale:
        raise UserError(f"explained, but covered or gone: {'; '.join(stale)}")
    if holes:
        raise UserError(f"{holes} are neither covered nor explained: expected tests or reasons")
