"""What a figure evaluates: networks with their masks and surviving tokens, on one machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from model.attention.maps import AttentionMaps
from model.attention.mask_source import MaskSource
from model.attention.synthetic import maps_of
from model.network.names import NETWORKS
from model.network.shape import Network
from model.pruning.schedule import DEFAULT_SCHEDULE, NO_PRUNING, Schedule
from rtl_gen.config import AcceleratorConfig
from rtl_gen.presets import DEFAULT
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.workload import Workload

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


def workload(
    network: Network,
    seed: int,
    sparsity: float | None,
    schedule: Schedule = NO_PRUNING,
) -> Workload:
    """Masks by ViTCoD's rule from averaged maps; the survivors are assumed from the same maps."""
    masks = None if sparsity is None else _masks(network, seed, sparsity)
    return Workload.assumed(network, masks, schedule, lambda: maps(network, seed).maps)


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
    return MaskSource(sparsity=sparsity, stand_in=seed).masks(network)
