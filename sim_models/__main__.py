"""`python -m sim_models`: sweeps of the cycle model, and its comparison with a peer's."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table

from model.files import replace_file
from model.networks import NETWORKS
from model.schedule import READINGS
from rtl_gen import cli
from rtl_gen.config import PRESETS, get_config
from rtl_gen.errors import UserError
from sim_models.compare import comparison, comparison_table
from sim_models.figures.command import figures
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.network import check_fit
from sim_models.paper import PAPER_SPEEDUP
from sim_models.sweep import (
    DEFAULT_READING,
    DENSE,
    SPARSE,
    Point,
    Sweep,
    count_points,
    run_sweep,
    write,
)

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console()
messages = Console(stderr=True)


@app.callback()
def main() -> None:
    """The cycle model."""


@app.command()
def sweep(
    *,
    config: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "default",
    latency: Annotated[
        int, typer.Option(help="Memory's cycles from an address to its first beat.")
    ] = DEFAULT_MEMORY.latency,
    rate: Annotated[
        int | None, typer.Option(help="Memory's bytes a cycle.", show_default="the port's width")
    ] = DEFAULT_MEMORY.rate,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic attention maps.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder that gets the files.")] = Path("build/sweep"),
) -> None:
    """Cycles of DeiT models by sparsity, with and without token pruning (CSV, JSON, PNG)."""
    print_sweep(config, seed, out, MemoryTiming(latency, rate))


app.command()(figures)


@app.command("compare-vitcod")
def compare_vitcod(
    mask: Annotated[Path, typer.Argument(help="Mask file: .npy, bool, True = dropped.")],
    *,
    model: Annotated[
        str | None, typer.Option(help="The mask must be of this model; default: any shape.")
    ] = None,
    config: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "default",
    out: Annotated[Path | None, typer.Option(help="JSON file of the result.")] = None,
) -> None:
    """Our cycles for a mask beside those of ViTCoD's published simulator."""
    result = comparison(mask, model, get_config(config))
    console.print(comparison_table(result))
    if out is not None:
        with replace_file(out) as file:
            file.write((json.dumps(result, indent=2) + "\n").encode())
        print(out)


def print_sweep(config: str, seed: int, out: Path, memory: MemoryTiming = DEFAULT_MEMORY) -> Sweep:
    """Run the sweep, write its files into `out` and print its tables."""
    choice = get_config(config)
    memory.bytes_a_cycle(choice)
    for network in NETWORKS.values():
        check_fit(choice, network)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write to {out} ({error.strerror}): choose another place"
        ) from error
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn())
    with Progress(*columns, console=messages) as progress:
        task = progress.add_task("points", total=count_points())
        result = run_sweep(
            choice,
            memory=memory,
            seed=seed,
            progress=lambda points: progress.advance(task, points),
        )
    files = write(result, out)
    show(result)
    print("\n".join(map(str, files)))
    return result


def show(result: Sweep) -> None:
    """Print points, readings and utilisation."""
    console.print(_points_table(result), _readings_table(result), sep="\n")


def _points_table(result: Sweep) -> Table:
    table = Table(
        title=f"Cycles of one image at {result.config.macs} MACs, from start to done",
        caption=f"* synthetic attention maps. Memory: latency {result.memory.latency} cycles, "
        f"{result.memory.bytes_a_cycle(result.config)} bytes a cycle. Attention busy: useful "
        "multiply-accumulates / (MACs x cycles), without pruning.",
    )
    table.add_column("model")
    for name in ("sparsity", "cycles", "with pruning", "speed-up", "attention busy"):
        table.add_column(name, justify="right")
    dense, sparse = result.of(DENSE), result.of(SPARSE)
    pruned, speedups = result.of(f"{SPARSE}+{DEFAULT_READING}"), result.speedups()
    for (network, _), whole in dense.items():
        table.add_row(network, DENSE, f"{whole.cycles.total:,}", "", "", _busy(whole))
        for key, point in sparse.items():
            if key[0] == network:
                table.add_row(
                    f"{network}{'*' if point.synthetic else ''}",
                    f"{key[1]:.0%}",
                    f"{point.cycles.total:,}",
                    f"{pruned[key].cycles.total:,}",
                    f"{speedups[key]:.3f}x",
                    _busy(point),
                )
        table.add_section()
    return table


def _readings_table(result: Sweep) -> Table:
    table = Table(
        title="Mean speed-up by reading of the schedule",
        caption=f"paper: {PAPER_SPEEDUP}x; default: {DEFAULT_READING}",
    )
    table.add_column("ratio is of ... - tokens go")
    table.add_column("mean speed-up", justify="right")
    for reading in READINGS:
        table.add_row(reading, f"{result.mean_speedup(reading):.3f}x")
    return table


def _busy(point: Point) -> str:
    return f"{point.attention_utilisation:.1%}"


if __name__ == "__main__":
    cli.run(app)
