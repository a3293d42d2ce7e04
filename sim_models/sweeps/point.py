"""A point of a sweep, and what the cycle model says about it."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from model.attention.maps import AttentionMaps
from model.attention.mask_source import MaskSource
from model.attention.synthetic import maps_of
from model.masks.strategies import sparsity_of
from model.network.shape import Network
from model.pruning.schedule import NO_PRUNING, Schedule
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from sim_models.memory import MemoryTiming
from sim_models.network import NetworkCycles
from sim_models.on_chip import on_chip_bytes
from sim_models.workload import Workload, simulate

DENSE = "dense"


@dataclass(frozen=True, kw_only=True)
class PointMasks:
    """Masks of a strategy or of a file, as a sweep names them."""

    name: str
    """A strategy, or the file as the specification names it."""
    source: MaskSource
    sha256: str | None = None
    """Hash of what is expected in the file."""

    @classmethod
    def of_file(cls, name: str, path: Path) -> Self:
        return cls(name=name, source=MaskSource(file=path.resolve()), sha256=_digest(path))

    @property
    def sparsity(self) -> float | None:
        """Of a strategy; a file has what it has."""
        return self.source.sparsity if self.sha256 is None else None


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network on one machine; everything that its row depends on."""

    network: Network
    masks: PointMasks | None
    """None: dense attention."""
    schedule: Schedule
    config: AcceleratorConfig
    memory: MemoryTiming
    seed: int
    """Of the synthetic attention maps."""

    @property
    def pruned(self) -> bool:
        return self.schedule.prunes(self.network)

    def key(self) -> str:
        """Hash of all of it; of a mask file its contents, wherever it lies."""
        fields = asdict(self) | {"network": self.network.as_json()}
        if self.masks is not None and self.masks.sha256 is not None:
            fields["masks"] = self.masks.sha256
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:24]

    def dense(self) -> "Point":
        """The same machine and network without masks and pruning."""
        return replace(self, masks=None, schedule=NO_PRUNING)

    def sparse(self) -> "Point":
        """The same machine, network and masks without pruning."""
        return replace(self, schedule=NO_PRUNING)


def evaluate(point: Point) -> dict[str, Any]:
    """Cycles and activity of a batch, an image a core, and an image's traffic, as numbers that JSON
    can hold. All images of the batch are assumed to leave the same tokens.

    A pure function of the point and, where it names one, of the mask file.
    """
    network = point.network
    masks = None if point.masks is None else _masks(network, point.masks, point.seed)
    work = Workload.assumed(network, masks, point.schedule, lambda: _maps(network, point.seed).maps)
    done = simulate(point.config, work, point.memory)
    uses_maps = (point.masks is not None and point.masks.sha256 is None) or point.pruned
    return {
        "results": {
            "attention_maps": _maps(network, point.seed).label if uses_maps else None,
            "kept_fraction": 1.0 if masks is None else round(float(1 - sparsity_of(masks)), 6),
            "tokens_left": point.schedule.layer_tokens(network)[-1].leaving,
            "total_cycles": done.cycles.total,
            **_cycle_columns(done.cycles),
            "macs": sum(done.macs.values()),
            "array_utilisation": round(done.array_utilisation, 6),
            "attention_utilisation": round(done.attention_utilisation, 6),
            "axi_read_bytes": round(done.activity.read_bytes / point.config.cores),
            "axi_written_bytes": round(done.activity.written_bytes / point.config.cores),
            "on_chip_kb": round(on_chip_bytes(point.config, network) / 1024, 3),
            "built_kb": round(on_chip_bytes(point.config) / 1024, 3),
        },
        "activity": asdict(done.activity),
    }


def _cycle_columns(cycles: NetworkCycles) -> dict[str, int]:
    """Of every operation, of every unit by its counter, and those lost to waiting."""
    units = ("linear", "attention", "norm", "prune", "load", "store")
    return {
        **{f"{name}_cycles": value for name, value in cycles.operations().items()},
        **{f"unit_{name}_cycles": cycles.counters[f"{name}_cycles"] for name in units},
        "weight_stalls": cycles.counters["weight_stalls"],
        "attention_stalls": cycles.attention.stall,
    }


@lru_cache(maxsize=1)
def _maps(network: Network, seed: int) -> AttentionMaps:
    return maps_of(network, seed)


@lru_cache(maxsize=2)
def _masks(network: Network, wanted: PointMasks, seed: int) -> np.ndarray:
    source = replace(wanted.source, stand_in=seed)
    masks = source.masks(network)
    if source.file is not None and wanted.sha256 not in (None, _digest(source.file)):
        raise UserError(f"mask file {source.file} changed since the sweep began: run it again")
    return masks


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
