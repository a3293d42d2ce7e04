"""The error of the cycle model against the RTL, case by case.

Cases are drawn from a seed. All predictions are made and written before the first simulation
starts. The command fails if a case on an ideal or fixed-latency memory is off in any counter, or
one on a randomly stalling memory by more than 1 % of its cycles: what is predicted for that is the
mean bandwidth which the stalls leave.

Writes `predictions.json` first, then `report.json`, into the folder of `--out`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rtl_gen import cli
from rtl_gen.errors import UserError
from rtl_gen.json_file import write_json
from rtl_gen.progress import progress_over
from sparse_vit.calibration.both import measure, predict
from sparse_vit.calibration.cases import (
    Case,
    draw_cases,
    draw_configs,
    draw_deit_cases,
    quick_configs,
)
from sparse_vit.calibration.results import (
    Counters,
    Result,
    cases_table,
    counters_table,
    describe,
    report,
)

QUICK_CASES = 9

console = Console()
messages = Console(stderr=True)


def calibrate(
    *,
    seed: Annotated[int, typer.Option(min=0, max=cli.LARGEST_SEED, help="Draws the cases.")] = 0,
    configs: Annotated[
        int, typer.Option(min=1, help="Configurations; each is a build of a minute or so.")
    ] = 4,
    cases: Annotated[int, typer.Option(min=1, help="Cases of each configuration.")] = 18,
    cores: Annotated[
        int | None,
        typer.Option(
            min=1, help="Of every configuration.", show_default="drawn; 1 with --quick and --deit"
        ),
    ] = None,
    deit: Annotated[bool, typer.Option(help="Whole DeiT-Tiny on the default preset, too.")] = True,
    quick: Annotated[bool, typer.Option(help="One small configuration, a few cases.")] = False,
    simulator: Annotated[str, typer.Option(help="verilator or icarus.")] = "verilator",
    workers: Annotated[int, typer.Option(min=1, help="Configurations that run at a time.")] = min(
        2, os.cpu_count() or 1
    ),
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/calibration"),
) -> dict[str, Any]:
    """The error of the cycle model against the RTL, on seeded random cases."""
    if quick:
        groups = [list(draw_cases(config, seed, QUICK_CASES)) for config in quick_configs(cores)]
    else:
        drawn = draw_configs(seed, configs, cores)
        groups = [list(draw_cases(config, seed, cases)) for config in drawn]
        groups += [list(draw_deit_cases(seed, cores))] * deit
    messages.print(f"seed {seed}: {sum(map(len, groups))} cases, {len(groups)} configurations")
    results = run_calibration(
        groups, seed=seed, cores=cores, simulator=simulator, workers=workers, out=out
    )
    console.print(cases_table(results), counters_table(results), sep="\n")
    print(out / "report.json")
    failed = [result for result in results if not result.passed]
    if failed:
        first = failed[0]
        raise UserError(
            f"{len(failed)} of {len(results)} cases are off, the first is {first.case['name']} of "
            f"{first.case['config']} with {first.off} (model minus RTL): see {out / 'report.json'}"
        )
    return report(results, seed, cores)


def run_calibration(
    drawn: Sequence[Sequence[Case]],
    *,
    seed: int,
    cores: int | None,
    simulator: str,
    workers: int,
    out: Path,
) -> list[Result]:
    """Predict all cases, run them on the RTL and write both files into `out`.

    The cases of a group share a configuration.
    """
    predictions = [[predict(case) for case in group] for group in drawn]
    write_json(
        out / "predictions.json",
        [
            {**describe(case), "counters": counters}
            for group, predicted in zip(drawn, predictions, strict=True)
            for case, counters in zip(group, predicted, strict=True)
        ],
    )
    results = list(_simulate_all(drawn, predictions, simulator, workers))
    write_json(out / "report.json", report(results, seed, cores))
    return results


def _simulate_all(
    drawn: Sequence[Sequence[Case]],
    predictions: Sequence[Sequence[Counters]],
    simulator: str,
    workers: int,
) -> Iterator[Result]:
    """Results in the order of the cases; a configuration's cases run one after the other."""
    pool = ProcessPoolExecutor(min(workers, len(drawn)))
    with progress_over(sum(map(len, drawn)), "simulations") as advance:
        futures = {pool.submit(_simulate_group, group, simulator): group for group in drawn}
        try:
            for future in as_completed(futures):
                future.result()
                advance(len(futures[future]))
        finally:
            pool.shutdown(cancel_futures=True)
    yield from _results(drawn, predictions, futures)


def _results(
    drawn: Sequence[Sequence[Case]],
    predictions: Sequence[Sequence[Counters]],
    futures: Iterable[Future],
) -> Iterator[Result]:
    for group, predicted, future in zip(drawn, predictions, futures, strict=True):
        for case, model, rtl in zip(group, predicted, future.result(), strict=True):
            yield Result(describe(case), model, rtl)


def _simulate_group(group: Sequence[Case], simulator: str) -> list[Counters]:
    return [measure(case, simulator) for case in group]
