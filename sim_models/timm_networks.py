"""Which of timm's plain Vision Transformers the presets hold, and what they take there.

Networks of one shape share a row. Cycles are those of the first of the presets that holds them,
dense, and with 80 % sparse attention (ViTCoD's rule) and the default schedule of pruning. Attention
maps are measured for DeiT-Tiny alone and made from those for all others
(`model.attention.synthetic`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import timm

from model.attention.synthetic import maps_of
from model.masks.strategies import MASK_STRATEGY, make_masks
from model.network.fit import fitting_presets, remedy
from model.network.names import ALL_NETWORKS, get_network
from model.network.shape import Network
from model.pruning.schedule import DEFAULT_SCHEDULE, NO_PRUNING
from rtl_gen.errors import UserError
from rtl_gen.presets import PRESETS
from sim_models.network import assumed_live, network_cycles
from sim_models.on_chip import on_chip_bytes

MODULES = ("deit", "vision_transformer")
"""timm's modules of plain Vision Transformers."""

SPARSITY = 0.8

TOLD = ("small", "default", "large", "wide")
"""Presets whose cycles are told, the first that holds a network."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What there is, before any cycles are counted."""

    shapes: Mapping[Network, tuple[str, ...]]
    """Names by shape, which has the name of the first."""
    refused: Mapping[str, tuple[str, ...]]
    """Names by what the accelerator has no unit for."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A shape on its preset; without one, `remedy` says what would hold it."""

    network: Network
    names: tuple[str, ...]
    presets: tuple[str, ...]
    remedy: str | None = None
    dense_cycles: int | None = None
    pruned_cycles: int | None = None
    attention_maps: str | None = None
    on_chip_kb: float | None = None
    """Of the memories' words that the network uses."""


def all_names() -> list[str]:
    """timm's plain Vision Transformers and those beside them in its modules."""
    return [name for module in MODULES for name in timm.list_models(module=module)]


def find(names: Iterable[str]) -> Found:
    """Sort names by shape, or by why they are refused."""
    shapes: dict[Network, list[str]] = {}
    first: dict[Network, Network] = {}
    refused: dict[str, list[str]] = {}
    for name in names:
        try:
            network = get_network(name)
        except UserError as error:
            _, _, reason = str(error).partition(": ")
            refused.setdefault(reason, []).append(name)
            continue
        shape = first.setdefault(replace(network, name=""), network)
        shapes.setdefault(shape, []).append(name)
    return Found(
        shapes={network: tuple(alike) for network, alike in shapes.items()},
        refused={reason: tuple(alike) for reason, alike in refused.items()},
    )


def rows_of(
    found: Found, seed: int = 0, progress: Callable[[int], object] = lambda _: None
) -> list[Row]:
    """Count cycles, those of small networks first; `progress` is told of each row."""
    rows = []
    for network in sorted(found.shapes, key=_order):
        rows.append(row_of(network, found.shapes[network], seed))
        progress(1)
    return rows


def row_of(network: Network, names: Sequence[str], seed: int = 0) -> Row:
    presets = tuple(fitting_presets(network))
    told = next((preset for preset in TOLD if preset in presets), None)
    if told is None:
        return Row(network=network, names=tuple(names), presets=presets, remedy=remedy(network))
    config, schedule = PRESETS[told], DEFAULT_SCHEDULE.fitted(network)
    work = _workload(_attention_of(network), seed)
    pruned = network_cycles(config, network, masks=work.masks, schedule=schedule, live=work.live)
    return Row(
        network=network,
        names=tuple(names),
        presets=(told, *(preset for preset in presets if preset != told)),
        dense_cycles=network_cycles(config, network, schedule=NO_PRUNING).total,
        pruned_cycles=pruned.total,
        attention_maps=work.label,
        on_chip_kb=on_chip_bytes(config, network) / 1024,
    )


@dataclass(frozen=True)
class _Workload:
    masks: np.ndarray
    live: np.ndarray
    label: str


@lru_cache(maxsize=1)
def _workload(network: Network, seed: int) -> _Workload:
    maps = maps_of(network, seed)
    masks = make_masks(maps.maps, SPARSITY, MASK_STRATEGY, prefix=network.prefix_tokens)
    live = assumed_live(network, maps.maps, masks, DEFAULT_SCHEDULE.fitted(network))
    return _Workload(masks, live, maps.label)


def _attention_of(network: Network) -> Network:
    """What attention maps depend on, so that networks that share it share them."""
    if ALL_NETWORKS.get(network.name) == network:
        return network
    return Network(
        name="attention",
        heads=network.heads,
        layers=network.layers,
        grid=network.grid,
        prefix_tokens=network.prefix_tokens,
    )


def _order(network: Network) -> tuple:
    """Networks of the same attention one behind the other."""
    return network.dim, network.layers, network.grid, network.prefix_tokens, network.name
