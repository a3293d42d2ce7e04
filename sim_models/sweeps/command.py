"""The sweep: the grid of a YAML file, or the paper's."""

import gc
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from model.files.plot_style import render
from model.files.yaml_file import read_model
from model.pruning.schedule_file import DEFAULT_NAME, UNPRUNED
from rtl_gen.cli import LARGEST_SEED
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file
from rtl_gen.presets import PRESETS, get_config
from rtl_gen.progress import progress_over
from sim_models.figures.speedup import draw_speedup
from sim_models.figures.tables import table_console, terminal_table
from sim_models.sweeps.energy import energy_table
from sim_models.sweeps.files import write_sweep
from sim_models.sweeps.point import DENSE
from sim_models.sweeps.run import SweepResult, run_points
from sim_models.sweeps.spec import POINTS_LIMIT, STANDARD, SweepSpec
from sim_models.sweeps.tables import points_table, pruning_table

FOLDER = Path("build/sweep")
STANDARD_NAME = "sweep"


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Where points are evaluated, as for worker_pool."""

    scheduler: str | None = None
    processes: int | None = None


def sweep(
    spec: Annotated[
        Path | None,
        typer.Argument(help="YAML file, see docs/sweeps.md; default: the paper's grid."),
    ] = None,
    *,
    config: Annotated[
        str | None, typer.Option(help=f"Instead of the file's presets: {', '.join(PRESETS)}.")
    ] = None,
    latency: Annotated[
        int | None, typer.Option(help="Of the memory, in cycles, instead of the file's.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="Of the memory, in bytes a cycle, instead of the file's.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Of the synthetic attention maps, instead of the file's.",
        ),
    ] = None,
    energy: Annotated[Path | None, typer.Option(help="YAML file of picojoules.")] = None,
    points_limit: Annotated[
        int, typer.Option(min=1, help="Refuse larger grids, before any work.")
    ] = POINTS_LIMIT,
    out: Annotated[Path, typer.Option(help="Folder that gets the files.")] = FOLDER,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler to use, such as tcp://host:8786.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="On this machine.", show_default="one a core")
    ] = None,
) -> list[dict[str, Any]]:
    """Cycles, traffic and energy of every combination in a grid (CSV, JSON, Parquet, PNG)."""
    # What is imported stays: forked workers share it, and nobody collects it at the end.
    gc.freeze()
    grid = STANDARD if spec is None else read_model(spec, SweepSpec)
    if config is not None:
        get_config(config)
    memory = {"latency": latency, "rate": rate}
    grid = grid.replaced(
        presets=None if config is None else [config],
        memory={name: [value] for name, value in memory.items() if value is not None},
        seeds=None if seed is None else [seed],
    )
    if scheduler is not None and processes is not None:
        raise UserError("--processes are those of this machine: leave it out with --scheduler")
    workers = Workers(scheduler=scheduler, processes=processes)
    if spec is None:
        return standard_sweep(grid, out, energy, workers, points_limit).rows
    result = run_grid(grid, spec.parent, out, spec.stem, energy, workers, points_limit)
    files = write_sweep(result, out, spec.stem)
    _show(result)
    print("\n".join(map(str, files)))
    return result.rows


def standard_sweep(
    grid: SweepSpec = STANDARD,
    out: Path = FOLDER,
    energy: Path | None = None,
    workers: Workers = Workers(),
    limit: int = POINTS_LIMIT,
) -> SweepResult:
    """Run the paper's grid, write its files into `out` with speedup.png, print its tables."""
    result = run_grid(grid, Path(), out, STANDARD_NAME, energy, workers, limit)
    files = [*write_sweep(result, out, STANDARD_NAME), out / "speedup.png"]
    gains = [
        row | {"speedup": row["speedup_over_sparse"]}
        for row in result.rows
        if row["pruning"] == DEFAULT_NAME and row["masks"] != DENSE
    ]
    with replace_file(files[-1]) as file:
        file.write(render(draw_speedup(pd.DataFrame(gains)), "png"))
    shown = [row for row in result.rows if row["pruning"] in (UNPRUNED, DEFAULT_NAME)]
    _show(replace(result, rows=shown), of=result)
    print("\n".join(map(str, files)))
    return result


def run_grid(
    grid: SweepSpec,
    folder: Path,
    out: Path,
    name: str,
    energy: Path | None,
    workers: Workers,
    limit: int,
) -> SweepResult:
    """Evaluate a grid under a progress bar; mask files are relative to `folder`."""
    table = energy_table(energy)
    print(f"points of the grid: {grid.size:,}")
    points = grid.points(folder, limit)
    finished, advance = 0, None
    with ExitStack() as shown:

        def show_progress(done: int, total: int) -> None:
            """It is shown once nothing can be refused any more."""
            nonlocal finished, advance
            advance = advance or shown.enter_context(progress_over(total, "points"))
            advance(done - finished)
            finished = done

        return run_points(
            points,
            table,
            out / f"{name}.finished.jsonl",
            scheduler=workers.scheduler,
            processes=workers.processes,
            progress=show_progress,
        )


def _show(result: SweepResult, of: SweepResult | None = None) -> None:
    console = table_console()
    tables = [points_table(result), pruning_table(of or result)]
    for table in filter(None, tables):
        console.print(terminal_table(table))
    seeds = sorted({row["seed"] for row in result.rows})
    console.print(
        f"{result.evaluated} points evaluated, {result.reused} finished before, baselines "
        f"included; seed {', '.join(map(str, seeds))}"
    )
