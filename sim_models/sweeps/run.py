"""A sweep from points to rows.

Every point's dense and sparse baselines are evaluated too, once each, whether or not the grid holds
them. Columns of a row: what identifies the point, what `evaluate` found, and

    milliseconds             of a batch, an image a core, at the configuration's frequency
    images_per_second        at that frequency
    energy_*_uj              of an image, see energy.py
    area_*                   cells of the configuration, see rtl_gen/area/columns.py
    speedup_over_dense       cycles of the same machine and network without masks and pruning / own
    speedup_over_sparse      cycles with the same masks, without pruning / own
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from model.pruning.schedule_file import UNPRUNED
from rtl_gen.area.model import predict
from rtl_gen.config import AcceleratorConfig
from rtl_gen.presets import nearest_preset
from sim_models import CODE
from sim_models.sweeps.energy import EnergyTable
from sim_models.sweeps.finished import FinishedPoints
from sim_models.sweeps.labels import pruning_label
from sim_models.sweeps.point import DENSE, Point, evaluate
from sim_models.sweeps.workers import worker_pool


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """Rows of a grid, in its order."""

    rows: list[dict[str, Any]]
    energy: EnergyTable
    evaluated: int
    """Points that this run evaluated."""
    reused: int
    """Points that were finished before it; both count baselines."""

    def mean_speedups(self) -> dict[str, float]:
        """Speed-up over the same masks alone by pruning: arithmetic mean over sparse points."""
        found: dict[str, list[float]] = {}
        for row in self.rows:
            if row["pruning"] != UNPRUNED and row["masks"] != DENSE:
                found.setdefault(row["pruning"], []).append(row["speedup_over_sparse"])
        return {pruning: fmean(values) for pruning, values in found.items()}


def run_points(
    points: Sequence[Point],
    energy: EnergyTable,
    finished: Path,
    *,
    scheduler: str | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> SweepResult:
    """Evaluate what `finished` does not hold yet; `progress` gets points done and points in all.

    Raises:
        UserError: files or workers that cannot be used, a mask file that changed, a lost worker.
    """
    wanted = {point.key(): point for point in with_baselines(points)}
    store = FinishedPoints(finished, CODE)
    missing = [point for key, point in wanted.items() if key not in store.results]

    def report() -> None:
        progress(len(wanted.keys() & store.results.keys()), len(wanted))

    if missing:
        with worker_pool(scheduler, processes) as pool:
            tasks = [pool.submit(evaluate_batch, batch) for batch in _batches(missing)]
            report()
            for task in as_completed(tasks):
                store.add(task.result())
                report()
    rows = [_row(point, store.results, energy) for point in points]
    return SweepResult(
        rows=rows,
        energy=energy,
        evaluated=len(missing),
        reused=len(wanted) - len(missing),
    )


def with_baselines(points: Sequence[Point]) -> list[Point]:
    """The points, and those that their speed-ups refer to, each once."""
    return list(
        dict.fromkeys(p for point in points for p in (point, point.sparse(), point.dense()))
    )


def evaluate_batch(points: Sequence[Point]) -> dict[str, Any]:
    """Results by key."""
    return {point.key(): evaluate(point) for point in points}


def _batches(points: Sequence[Point]) -> list[list[Point]]:
    """Points that share maps and masks, those of large networks first: the last ones are short."""
    batches: dict[tuple, list[Point]] = {}
    for point in points:
        batches.setdefault((point.network, point.seed, point.masks), []).append(point)
    return sorted(
        batches.values(), key=lambda batch: -batch[0].network.heads * batch[0].network.tokens ** 2
    )


def _row(point: Point, results: Mapping[str, Any], energy: EnergyTable) -> dict[str, Any]:
    own = results[point.key()]
    found, activity = own["results"], own["activity"]
    cycles, megahertz = found["total_cycles"], point.config.frequency_mhz
    microjoules = energy.microjoules(point.config, activity)
    dense, sparse = (
        results[base.key()]["results"]["total_cycles"] for base in (point.dense(), point.sparse())
    )
    return {
        **_identification(point),
        **found,
        "milliseconds": round(cycles / megahertz / 1000, 6),
        "images_per_second": round(point.config.cores * megahertz * 1e6 / cycles, 3),
        **{f"energy_{name}_uj": value for name, value in microjoules.items()},
        **{f"area_{name}": count for name, count in predict(point.config).items()},
        "speedup_over_dense": round(dense / cycles, 6),
        "speedup_over_sparse": round(sparse / cycles, 6),
    }


def _identification(point: Point) -> dict[str, Any]:
    masks, config, memory = point.masks, point.config, point.memory
    return {
        "network": point.network.name,
        "masks": DENSE if masks is None else masks.name,
        "sparsity": 0.0 if masks is None else masks.sparsity,
        "pruning": pruning_label(point.schedule, point.network),
        "hardware": hardware_label(config),
        **config.as_dict(),
        "memory_latency": memory.latency,
        "memory_rate": memory.bytes_a_cycle(config),
        "seed": point.seed,
    }


def hardware_label(config: AcceleratorConfig) -> str:
    """A preset's name, or the nearest preset and what differs from it."""
    preset, changes = nearest_preset(config)
    return " ".join([preset, *(f"{name}={value}" for name, value in changes.items())])
