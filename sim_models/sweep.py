"""The sweep: DeiT models x attention sparsity x with and without token pruning, and its files.

Masks follow ViTCoD's rule from averaged attention maps, measured for DeiT-Tiny and synthetic
(resampled from Tiny's) for the others; surviving tokens are those of `assumed_live`. Cycles are the
RTL's from start to done. Speed-up is cycles(sparse) / cycles(sparse + pruned), both with the same
masks.

`write` makes three files:

    sweep.csv     a line a point; cycles by operation
    sweep.json    the same, with configuration, memory, seed, readings and utilisation
    speedup.png   speed-up of the twelve points, their mean and the paper's
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.attention_maps import AttentionMaps
from model.files import replace_file
from model.masks import make_masks, sparsity_of
from model.networks import NETWORKS, Network
from model.schedule import NO_PRUNING, READINGS
from model.synthetic import maps_of
from rtl_gen.config import AcceleratorConfig
from sim_models.figures.speedup import draw_speedup
from sim_models.figures.style import render
from sim_models.macs import kept_entries
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.network import NetworkCycles, assumed_live, network_cycles
from sim_models.paper import PAPER_SPEEDUP, SPARSITIES

DEFAULT_READING = next(iter(READINGS))
DENSE, SPARSE = "dense", "sparse"
MASK_STRATEGY = "vitcod"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network with one mask (None: dense) and one pruning schedule (None: no pruning)."""

    network: str
    synthetic: bool
    sparsity: float | None
    reading: str | None
    kept_fraction: float
    cycles: NetworkCycles
    attention_utilisation: float
    """Multiply-accumulates of kept live entries / (multipliers x cycles of attention)."""

    @property
    def variant(self) -> str:
        if self.sparsity is None:
            return DENSE
        return SPARSE if self.reading is None else f"{SPARSE}+{self.reading}"

    @property
    def source(self) -> str:
        """What the mask was made from."""
        return "synthetic" if self.synthetic else "measured"

    def row(self, config: AcceleratorConfig) -> dict[str, str | int | float | None]:
        """A line of the files."""
        operations = {f"{name}_cycles": cycles for name, cycles in self.cycles.operations().items()}
        total = self.cycles.total
        return {
            "network": self.network,
            "attention_maps": None if self.sparsity is None else self.source,
            "variant": self.variant,
            "sparsity": self.sparsity,
            "kept_fraction": round(self.kept_fraction, 6),
            "total_cycles": total,
            "milliseconds": round(total / config.frequency_mhz / 1000, 4),
            "attention_utilisation": round(self.attention_utilisation, 4),
            "weight_stalls": self.cycles.counters["weight_stalls"],
            **operations,
        }


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All points of a configuration; `points` holds every reading of the schedule."""

    config: AcceleratorConfig
    memory: MemoryTiming
    seed: int
    points: Sequence[Point]

    def of(self, variant: str) -> dict[tuple[str, float | None], Point]:
        """The points of a variant by network and sparsity."""
        chosen = (point for point in self.points if point.variant == variant)
        return {(point.network, point.sparsity): point for point in chosen}

    def speedups(self, reading: str = DEFAULT_READING) -> dict[tuple[str, float], float]:
        """cycles(sparse) / cycles(sparse + pruned) by network and sparsity."""
        sparse, pruned = self.of(SPARSE), self.of(f"{SPARSE}+{reading}")
        return {key: sparse[key].cycles.total / pruned[key].cycles.total for key in sparse}

    def mean_speedup(self, reading: str = DEFAULT_READING) -> float:
        """Arithmetic mean over networks and sparsities."""
        return float(np.mean(list(self.speedups(reading).values())))


def count_points() -> int:
    """Points of a sweep."""
    return len(NETWORKS) * (1 + len(SPARSITIES) * (1 + len(READINGS)))


def run_sweep(
    config: AcceleratorConfig,
    *,
    memory: MemoryTiming = DEFAULT_MEMORY,
    seed: int = 0,
    progress: Callable[[int], object] = lambda _: None,
) -> Sweep:
    """Evaluate every point; `seed` is that of the synthetic maps.

    `progress` is called with the number of points just finished.

    Raises:
        UserError: the configuration cannot hold one of the networks, or a memory that cannot be.
    """
    points = [_point(config, memory, network) for network in NETWORKS.values()]
    progress(len(points))
    for network in NETWORKS.values():
        maps = maps_of(network, seed)
        for sparsity in SPARSITIES:
            masks = make_masks(maps.maps, sparsity, MASK_STRATEGY)
            for reading in (None, *READINGS):
                points.append(_point(config, memory, network, maps, sparsity, masks, reading))
                progress(1)
    return Sweep(config=config, memory=memory, seed=seed, points=points)


def _point(
    config: AcceleratorConfig,
    memory: MemoryTiming,
    network: Network,
    maps: AttentionMaps | None = None,
    sparsity: float | None = None,
    masks: np.ndarray | None = None,
    reading: str | None = None,
) -> Point:
    schedule = NO_PRUNING if reading is None else READINGS[reading]
    live = None if reading is None else assumed_live(network, maps.maps, masks, schedule)
    cycles = network_cycles(
        config, network, masks=masks, schedule=schedule, live=live, memory=memory
    )
    everything = np.ones((network.layers, network.tokens), dtype=np.bool_)
    entries = kept_entries(network, masks, everything if live is None else live)
    return Point(
        network=network.name,
        synthetic=maps is not None and maps.synthetic,
        sparsity=sparsity,
        reading=reading,
        kept_fraction=1.0 if masks is None else 1 - sparsity_of(masks),
        cycles=cycles,
        attention_utilisation=2
        * network.head_dim
        * entries
        / (config.macs * cycles.attention.total),
    )


# Files -------------------------------------------------------------------------------------------


def write(sweep: Sweep, folder: Path) -> list[Path]:
    """Write sweep.csv, sweep.json and speedup.png, each whole or not at all."""
    contents = {"sweep.csv": _csv(sweep), "sweep.json": _json(sweep), "speedup.png": _png(sweep)}
    for name, content in contents.items():
        with replace_file(folder / name) as file:
            file.write(content)
    return [folder / name for name in contents]


def _csv(sweep: Sweep) -> bytes:
    rows = [point.row(sweep.config) for point in sweep.points]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _json(sweep: Sweep) -> bytes:
    content = {
        "config": sweep.config.as_dict(),
        "config_digest": sweep.config.digest(),
        "memory": {
            "latency": sweep.memory.latency,
            "rate": sweep.memory.bytes_a_cycle(sweep.config),
        },
        "seed": sweep.seed,
        "mask_strategy": MASK_STRATEGY,
        "default_reading": DEFAULT_READING,
        "mean_speedup": sweep.mean_speedup(),
        "paper_speedup": PAPER_SPEEDUP,
        "mean_speedup_by_reading": {name: sweep.mean_speedup(name) for name in READINGS},
        "speedups": [
            {"network": network, "sparsity": sparsity, "speedup": speedup}
            for (network, sparsity), speedup in sweep.speedups().items()
        ],
        "points": [point.row(sweep.config) for point in sweep.points],
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _png(sweep: Sweep) -> bytes:
    sparse = sweep.of(SPARSE)
    rows = [
        {
            "network": network,
            "attention_maps": sparse[network, sparsity].source,
            "sparsity": sparsity,
            "speedup": speedup,
        }
        for (network, sparsity), speedup in sweep.speedups().items()
    ]
    return render(draw_speedup(pd.DataFrame(rows)), "png")
