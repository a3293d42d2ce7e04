"""How fast the cycle model is, beside the RTL simulations.

RTL seconds are those of the runs of `sparse-vit run` found in the folder of `--runs`;
without any, a small network is simulated. Each is compared with the model's time for the same
network. Numbers depend on the machine and on what else it does (then seconds of the processor tell
more than those of the clock); nothing here fails because of them.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from cocotb_tests.network.run import run_image
from model.attention.mask_source import MaskSource
from model.attention.synthetic import maps_of
from model.files.text_file import read_text
from model.masks.strategies import MASK_STRATEGY, make_masks
from model.network.names import DEIT_BASE, DEIT_TINY, NETWORKS, get_network
from model.network.shape import Network
from model.pruning.schedule import DEFAULT_SCHEDULE, NO_PRUNING, Schedule
from model.pruning.schedule_file import schedule_of
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.json_file import write_json
from rtl_gen.presets import get_config
from sim_models.paper import SPARSITIES
from sim_models.workload import Workload
from sparse_vit.calibration.both import predict
from sparse_vit.calibration.cases import draw_cases, quick_configs

REPEATS = 3

console = Console()


class Seconds(NamedTuple):
    """What something took."""

    wall: float
    cpu: float


def bench(
    *,
    runs: Annotated[Path, typer.Option(help="Folder of whole-network RTL runs.")] = Path(
        "build/deit"
    ),
    out: Annotated[Path, typer.Option(help="JSON file of the result.")] = Path(
        "build/bench/bench.json"
    ),
) -> dict[str, Any]:
    """Seconds of the cycle model beside those of the RTL simulation."""
    check_writable(out)
    model_run(DEIT_TINY, 0.8, DEFAULT_SCHEDULE)()  # compiles the model
    base = fastest(model_run(DEIT_BASE, 0.8, DEFAULT_SCHEDULE))
    sweep = timed(sweep_points)
    rtl = recorded_runs(runs) or [small_run()]
    result = {
        "machine": platform.processor() or platform.machine(),
        "deit_base_seconds": base._asdict(),
        "sweep_24_points_seconds": sweep._asdict(),
        "rtl": rtl,
    }
    write_json(out, result)
    console.print(table(result))
    print(out)
    return result


def model_run(
    network: Network,
    sparsity: float,
    schedule: Schedule,
    config: str = "default",
    strategy: str = MASK_STRATEGY,
) -> Callable[[], Any]:
    """The model of one image; the masks and the survivors are ready."""
    source = MaskSource(sparsity=sparsity, strategy=strategy, stand_in=0)
    masks = None if source.dense else source.masks(network)
    work = Workload.assumed(network, masks, schedule, lambda: maps_of(network).maps)
    machine = get_config(config)
    return lambda: work.cycles(machine)


def sweep_points() -> None:
    """3 networks x 4 sparsities x with and without pruning, masks included."""
    config = get_config("default")
    for network in NETWORKS.values():
        maps = maps_of(network).maps
        for sparsity in SPARSITIES:
            masks = make_masks(maps, sparsity, prefix=network.prefix_tokens)
            for schedule in (NO_PRUNING, DEFAULT_SCHEDULE):
                Workload.assumed(network, masks, schedule, lambda: maps).cycles(config)  # noqa: B023


def recorded_runs(folder: Path) -> list[dict]:
    """Whole-network RTL runs with the model's time for the same network."""
    results = []
    for path in sorted(folder.glob("*.json")):
        try:
            run = json.loads(read_text(path, "JSON file"))
            network, sparsity = get_network(run["model"]), run["sparsity"]
            seconds, choices = run["wall_seconds"], (run["config"], run["strategy"])
            schedule = schedule_of(run["schedule"], network)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"{path} is no result of a whole-network run ({error!r}): remove it or name "
                "another folder with --runs"
            ) from error
        if sparsity is not None:
            model = fastest(model_run(network, sparsity, schedule, *choices))
            results.append(ratio(path.stem, run["cycles"], seconds, model))
    return results


def small_run() -> dict:
    """A small network in RTL."""
    case = next(draw_cases(quick_configs()[0], 0, 1))
    predict(case)
    model = fastest(lambda: predict(case))
    options = {"simulator": "verilator", "memory": case.memory, "optimise": True}
    run = run_image(case.config, case.image, case.data, **options)
    return ratio("small network", run.counters["cycles"], run.wall_seconds, model)


def ratio(name: str, cycles: int, rtl_seconds: float, model: Seconds) -> dict:
    return {
        "run": name,
        "cycles": cycles,
        "rtl_seconds": rtl_seconds,
        "model_seconds": model.wall,
        "model_cpu_seconds": model.cpu,
        "times_faster": rtl_seconds / model.wall,
        "times_faster_cpu": rtl_seconds / model.cpu,
    }


def timed(action: Callable[[], Any]) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def fastest(action: Callable[[], Any]) -> Seconds:
    return min(timed(action) for _ in range(REPEATS))


def table(result: dict) -> Table:
    """Seconds of model and RTL."""
    table = Table(title="Speed of the cycle model")
    table.add_column("run")
    for name in ("cycles", "RTL s", "model s", "CPU s", "times faster", "by CPU s"):
        table.add_column(name, justify="right")
    for name, key in (
        ("DeiT-Base, 80 %, pruned", "deit_base_seconds"),
        ("sweep of 24 points, with masks", "sweep_24_points_seconds"),
    ):
        seconds = result[key]
        table.add_row(name, "", "", f"{seconds['wall']:.3f}", f"{seconds['cpu']:.3f}", "", "")
    for run in result["rtl"]:
        table.add_row(
            run["run"],
            f"{run['cycles']:,}",
            f"{run['rtl_seconds']:.2f}",
            f"{run['model_seconds']:.4f}",
            f"{run['model_cpu_seconds']:.4f}",
            f"{run['times_faster']:,.0f}",
            f"{run['times_faster_cpu']:,.0f}",
        )
    return table
