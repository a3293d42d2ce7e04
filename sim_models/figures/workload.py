"""What a figure evaluates: networks with their masks and surviving tokens, on one machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from model.attention_maps import AttentionMaps
from model.masks import MASK_STRATEGY, make_masks
from model.network import Network
from model.networks import NETWORKS
from model.schedule import DEFAULT_SCHEDULE, NO_PRUNING, Schedule
from model.synthetic import maps_of
from rtl_gen.config import DEFAULT, AcceleratorConfig
from sim_models.macs import kept_entries, network_macs
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.network import NetworkCycles, NetworkRun, assumed_live, network_cycles, run_network

HIGH_SPARSITY = 0.8
"""The sparsity that stands for the paper's method where only one is shown."""

Progress = Callable[[int], object]
"""Called with the number of points just finished."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all figures of one call have in common."""

    config: AcceleratorConfig = DEFAULT
    memory: MemoryTiming = DEFAULT_MEMORY
    seed: int = 0
    """Of the synthetic attention maps."""
    networks: Sequence[Network] = tuple(NETWORKS.values())
    """Those that a figure compares."""
    network: Network = NETWORKS["deit_tiny"]
    """The one that a figure of a single network shows."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One image of a network with one mask (None: dense) and one pruning schedule."""

    network: Network
    masks: np.ndarray | None
    """Kept entries, bool (layers, heads, n, n)."""
    schedule: Schedule
    live: np.ndarray
    """Tokens live in the attention of every layer, bool (layers, n)."""

    def cycles(self, setting: Setting) -> NetworkCycles:
        """Cycles by operation."""
        return network_cycles(setting.config, self.network, **self._choices(setting))

    def run(self, setting: Setting) -> NetworkRun:
        """Every command with its first and last cycle."""
        return run_network(setting.config, self.network, **self._choices(setting))

    def _choices(self, setting: Setting) -> dict[str, Any]:
        return {
            "masks": self.masks,
            "schedule": self.schedule,
            "live": self.live,
            "memory": setting.memory,
        }

    def macs(self) -> dict[str, int]:
        """Multiply-accumulates by operation."""
        entries = kept_entries(self.network, self.masks, self.live)
        return network_macs(self.network, self.schedule.layer_tokens(self.network), entries)


def workload(
    network: Network,
    seed: int,
    sparsity: float | None,
    schedule: Schedule = NO_PRUNING,
) -> Workload:
    """Masks by ViTCoD's rule from averaged maps; the survivors are assumed from the same maps."""
    masks = None if sparsity is None else _masks(network, seed, sparsity)
    live = np.ones((network.layers, network.tokens), dtype=np.bool_)
    if schedule.prunes(network):
        live = assumed_live(network, maps(network, seed).maps, masks, schedule)
    return Workload(network=network, masks=masks, schedule=schedule, live=live)


def variants(network: Network, seed: int) -> dict[str, Workload]:
    """Dense, and with everything that the accelerator is for."""
    return {
        "dense": workload(network, seed, None),
        f"{HIGH_SPARSITY:.0%} sparse, pruned": workload(
            network, seed, HIGH_SPARSITY, DEFAULT_SCHEDULE.fitted(network)
        ),
    }


@lru_cache(maxsize=4)
def maps(network: Network, seed: int) -> AttentionMaps:
    """Averaged attention of a network."""
    return maps_of(network, seed)


@lru_cache(maxsize=16)
def _masks(network: Network, seed: int, sparsity: float) -> np.ndarray:
    return make_masks(
        maps(network, seed).maps, sparsity, MASK_STRATEGY, prefix=network.prefix_tokens
    )
