"""Fuzzing: damaged programs, files and arguments, all drawn from one seed.

Hardware, on the preset `tiny` with 1, 2 and 4 cores in turn: every damaged program ends in done or
in the error code that the format foresees, within a bound of cycles; no memory changes that its
STOREs may not write; the good program behind it is bit-exact. Software: every command ends in 0
with a result or in 2 with one line `error: ...`, and nothing half-written.

What fails is printed with the command that runs it alone. Damaged files are kept in the folder
`failures` beside report.json.
"""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cocotb_tests.fuzz.hardware import run_cases, smallest
from cocotb_tests.fuzz.kinds import BATCHES, draw_case
from cocotb_tests.fuzz.report import HARDWARE, SOFTWARE, Report
from cocotb_tests.fuzz.software import run_round
from cocotb_tests.fuzz.targets import TARGETS
from rtl_gen.errors import UserError
from rtl_gen.progress import progress_over

ROUND_ATTEMPTS = 25

console = Console()


def fuzz(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Draws everything.")] = 0,
    seconds: Annotated[
        float, typer.Option(min=0, help="Wall time, half of it for each half.")
    ] = 600,
    case: Annotated[
        int | None, typer.Option(min=0, help="Only this damaged program, on both simulators.")
    ] = None,
    before: Annotated[
        int, typer.Option(min=0, help="So many damaged programs that run before --case.")
    ] = 0,
    target: Annotated[
        str | None, typer.Option(help=f"Only a round of one of {', '.join(TARGETS)}.")
    ] = None,
    number: Annotated[int, typer.Option("--round", min=0, help="Of --target.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/fuzz"),
) -> dict[str, Any]:
    """Damaged programs in RTL, damaged files and arguments of every command."""
    if target is not None and target not in TARGETS:
        raise UserError(f"unknown target {target!r}: expected one of {', '.join(TARGETS)}")
    report = Report(seed)
    if case is not None:
        for simulator in BATCHES:
            fuzz_hardware(report, simulator, range(max(0, case - before), case + 1))
    elif target is not None:
        fuzz_software(report, target, number, out)
    else:
        _until(seconds / 2, HARDWARE, report, _hardware_turns(report))
        _until(seconds / 2, SOFTWARE, report, _software_turns(report, out))
    report.write(out / "report.json")
    console.print(report.table())
    for failure in report.failures:
        console.print(failure["problem"], markup=False)
        console.print(f"  {failure['replay']}", markup=False)
    print(out / "report.json")
    if report.failures:
        raise UserError(
            f"{len(report.failures)} failures with seed {seed}: run the first one alone by "
            f"{report.failures[0]['replay']}"
        )
    return report.contents()


def fuzz_hardware(report: Report, simulator: str, numbers: range) -> None:
    """Run some cases in one simulation."""
    for outcome in run_cases([draw_case(report.seed, number) for number in numbers], simulator):
        report.counts[f"{HARDWARE}, {simulator}", outcome.kind][outcome.ended] += 1
        if outcome.problem is None:
            continue
        number, what = outcome.number, f"{simulator}, case {outcome.number}, {outcome.kind}"
        small, alone = smallest(draw_case(report.seed, number), simulator)
        needed = f"these splices suffice: {small.splices}" if alone else "not if it runs alone"
        before = "" if alone else f" --before {number - numbers.start}"
        report.failures.append(
            {
                "problem": f"{what}: {outcome.problem}; {needed}",
                "replay": _replay(report, f"--case {number}{before}"),
            }
        )


def fuzz_software(report: Report, target: str, number: int, out: Path) -> None:
    """Run a round of attempts."""
    counts = report.counts[SOFTWARE, target]
    ended: Counter = Counter()
    for index, finding in enumerate(run_round(target, report.seed, number, ROUND_ATTEMPTS, ended)):
        folder = out / "failures" / f"{target}-{report.seed}-{number}-{index}".replace(" ", "-")
        finding.save(folder)
        report.failures.append(
            {
                "problem": f"{target}, {finding.attempt!r}: {finding.problem}\n  see {folder}",
                "replay": _replay(report, f"--target '{target}' --round {number}"),
            }
        )
    counts.update(ended)


def _hardware_turns(report: Report) -> Iterator[None]:
    """Batches for ever, those of the simulators in turn."""
    first = 0
    while True:
        for simulator, size in BATCHES.items():
            yield fuzz_hardware(report, simulator, range(first, first + size))
            first += size


def _software_turns(report: Report, out: Path) -> Iterator[None]:
    """Rounds for ever, those of the targets in turn."""
    for number in count():
        for target in TARGETS:
            yield fuzz_software(report, target, number, out)


def _until(seconds: float, half: str, report: Report, turns: Iterator[None]) -> None:
    """Take turns until the time is over, at least one."""
    began, told = time.monotonic(), 0.0
    # What attempts print is theirs: progress is drawn between them only.
    with progress_over(seconds, f"{half}, seconds", still=True) as advance:
        for _ in turns:
            report.seconds[half] = time.monotonic() - began
            advance(
                report.seconds[half] - told,
                attempts=report.total(half),
                failures=len(report.failures),
            )
            told = report.seconds[half]
            if told >= seconds:
                break


def _replay(report: Report, what: str) -> str:
    return f"sparse-vit fuzz --seed {report.seed} {what}"
