"""A point of a sweep, and what the cycle model says about it."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from model.attention_maps import AttentionMaps
from model.entry_scores import scores_for
from model.masks import make_masks, sparsity_of
from model.network import Network
from model.schedule import NO_PRUNING, Schedule
from model.synthetic import maps_of
from model.vitcod_io import read_masks
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from sim_models.activity import network_activity
from sim_models.macs import kept_entries, network_macs
from sim_models.memory import MemoryTiming
from sim_models.network import NetworkCycles, assumed_live, cycles_of, run_network
from sim_models.on_chip import on_chip_bytes

DENSE = "dense"


@dataclass(frozen=True, kw_only=True)
class MaskFile:
    """A ViTCoD mask file: where it lies and the hash of what is expected there."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class MaskSource:
    """Where masks come from: a strategy with its sparsity, or a file."""

    name: str
    """A strategy, or the file as the specification names it."""
    sparsity: float | None = None
    file: MaskFile | None = None

    @classmethod
    def of_file(cls, name: str, path: Path) -> "MaskSource":
        file = MaskFile(path=str(path.resolve()), sha256=_digest(path))
        return cls(name=name, file=file)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network on one machine; everything that its row depends on."""

    network: Network
    masks: MaskSource | None
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
        if self.masks is not None and self.masks.file is not None:
            fields["masks"] = self.masks.file.sha256
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:24]

    def dense(self) -> "Point":
        """The same machine and network without masks and pruning."""
        return replace(self, masks=None, schedule=NO_PRUNING)

    def sparse(self) -> "Point":
        """The same machine, network and masks without pruning."""
        return replace(self, schedule=NO_PRUNING)


def evaluate(point: Point) -> dict[str, Any]:
    """Cycles, traffic and activity of one image, as numbers that JSON can hold.

    A pure function of the point and, where it names one, of the mask file.
    """
    network = point.network
    masks = None if point.masks is None else _masks(network, point.masks, point.seed)
    if point.pruned:
        maps = _maps(network, point.seed).maps
        live = assumed_live(network, maps, masks, point.schedule)
    else:
        live = np.ones((network.layers, network.tokens), dtype=np.bool_)
    run = run_network(
        point.config,
        network,
        masks=masks,
        schedule=point.schedule,
        live=live,
        memory=point.memory,
    )
    cycles = cycles_of(point.config, run)
    layer_tokens = point.schedule.layer_tokens(network)
    macs = network_macs(network, layer_tokens, int(kept_entries(network, masks, live)))
    busy = point.config.macs * np.array([cycles.total, cycles.attention.total])
    activity = network_activity(point.config, run.steps, cycles.counters)
    uses_maps = (point.masks is not None and point.masks.file is None) or point.pruned
    return {
        "results": {
            "attention_maps": _maps(network, point.seed).label if uses_maps else None,
            "kept_fraction": 1.0 if masks is None else round(float(1 - sparsity_of(masks)), 6),
            "tokens_left": layer_tokens[-1].leaving,
            "total_cycles": cycles.total,
            **_cycle_columns(cycles),
            "macs": sum(macs.values()),
            "array_utilisation": round(float(sum(macs.values()) / busy[0]), 6),
            "attention_utilisation": round(float(macs["attention"] / busy[1]), 6),
            "axi_read_bytes": activity.read_bytes,
            "axi_written_bytes": activity.written_bytes,
            "on_chip_kb": round(on_chip_bytes(point.config, network) / 1024, 3),
            "built_kb": round(on_chip_bytes(point.config) / 1024, 3),
        },
        "activity": asdict(activity),
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
def _masks(network: Network, source: MaskSource, seed: int) -> np.ndarray:
    if source.file is None:
        maps, scores = _maps(network, seed).maps, scores_for(source.name, network.name)
        return make_masks(maps, source.sparsity, source.name, scores, prefix=network.prefix_tokens)
    path = Path(source.file.path)
    masks = read_masks(path, network)
    if _digest(path) != source.file.sha256:
        raise UserError(f"mask file {path} changed since the sweep began: run it again")
    return masks


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
