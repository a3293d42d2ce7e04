"""Cycles of a whole network by operation.

Heads run one after the other: the QKV linear layer of a head, then its attention. Softmax, GELU,
residual additions and requantisation ride along with the array. Only the CLS row goes through the
last norm and the classifier. What `CALIBRATED` does not name is estimated from the architecture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch

from model.golden import select_tokens
from model.networks import Network
from model.schedule import NO_PRUNING, LayerTokens, Placement, PruningSchedule
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from sim_models.attention import AttentionCycles, attend_heads, beats_of
from sim_models.layer_norm import norm_cycles
from sim_models.linear import linear_cycles
from sim_models.pruning import prune_cycles

CALIBRATED = frozenset({"attention", "pruning", "layer_norm"})
"""Operations whose cycles equal the counters or the benches of the RTL units."""

IMAGE_CHANNEL_BYTES = 1
POSITION_CHANNEL_BYTES = 2


@dataclass(frozen=True)
class NetworkCycles:
    """Where the cycles of a layer or of a network go."""

    patch_embedding: int = 0
    qkv: int = 0
    attention: AttentionCycles = field(default_factory=AttentionCycles)
    pruning: int = 0
    projection: int = 0
    ffn: int = 0
    layer_norm: int = 0
    classifier: int = 0

    def operations(self) -> dict[str, int]:
        """Cycles by operation."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**values, "attention": self.attention.total}

    @property
    def total(self) -> int:
        return sum(self.operations().values())

    @property
    def calibrated(self) -> int:
        """Cycles of the operations that are exact against the RTL."""
        return sum(cycles for name, cycles in self.operations().items() if name in CALIBRATED)

    def __add__(self, other: "NetworkCycles") -> "NetworkCycles":
        names = [item.name for item in fields(self)]
        return NetworkCycles(**{name: getattr(self, name) + getattr(other, name) for name in names})


def assumed_live(
    network: Network,
    maps: np.ndarray,
    masks: np.ndarray | None = None,
    schedule: PruningSchedule = NO_PRUNING,
) -> np.ndarray:
    """Tokens live in the attention of every layer, bool (layers, n), assumed from averaged maps.

    A token's importance is the column sum, over live queries and heads, of the averaged attention
    `maps` (layers, heads, n, n) restricted to kept live entries and normalised by row again. A
    single image's survivors differ; how many there are does not.
    """
    live = np.ones(network.tokens, dtype=np.bool_)
    importance = np.zeros(network.tokens)
    lives = []
    before_layer = schedule.placement is Placement.BEFORE_LAYER
    for layer, tokens in enumerate(schedule.layer_tokens(network)):
        if before_layer:
            live = _keep(importance, live, tokens.leaving)
        lives.append(live)
        mask = None if masks is None else masks[layer]
        importance = _importance(maps[layer], mask, live)
        if not before_layer:
            live = _keep(importance, live, tokens.leaving)
    return np.stack(lives)


def network_cycles(
    config: AcceleratorConfig,
    network: Network,
    *,
    masks: np.ndarray | None = None,
    schedule: PruningSchedule = NO_PRUNING,
    live: np.ndarray | None = None,
) -> NetworkCycles:
    """Cycles of one image.

    masks: kept entries, bool (layers, heads, n, n); None for dense attention
    live: tokens live in the attention of every layer, bool (layers, n), from the golden run of an
        image or from `assumed_live`; None for all

    Raises:
        UserError: the configuration cannot hold the network, or `live` does not fit the schedule.
    """
    check_fit(config, network)
    layer_tokens = schedule.layer_tokens(network)
    if live is None:
        live = np.ones((network.layers, network.tokens), dtype=np.bool_)
    _check_live(live, layer_tokens)
    dense = np.ones((network.heads, network.tokens, network.tokens), dtype=np.bool_)
    total = _input_cycles(config, network) + _output_cycles(config, network)
    entering = network.tokens
    for layer, tokens in enumerate(layer_tokens):
        mask = dense if masks is None else masks[layer]
        beats = beats_of(mask, live[layer], config.lanes)
        prunes = tokens.leaving < entering
        total += _layer_cycles(config, network, tokens, beats, prunes=prunes)
        entering = tokens.leaving
    return total


def _layer_cycles(
    config: AcceleratorConfig,
    network: Network,
    tokens: LayerTokens,
    beats: np.ndarray,
    *,
    prunes: bool,
) -> NetworkCycles:
    dim, hidden = network.dim, network.hidden
    mask_beats = _beats(config, network.tokens * config.mask_bytes)
    qkv = linear_cycles(config, dim, 3 * network.head_dim, tokens.attention, other_beats=mask_beats)
    up = linear_cycles(config, dim, hidden, tokens.projection)
    down = linear_cycles(config, hidden, dim, tokens.projection)
    prune = prune_cycles(config, network.tokens)
    return NetworkCycles(
        qkv=network.heads * qkv,
        attention=attend_heads(config, beats),
        pruning=prune if prunes else 0,
        projection=linear_cycles(config, dim, dim, tokens.projection),
        ffn=up + down,
        layer_norm=norm_cycles(config, tokens.attention, dim)
        + norm_cycles(config, tokens.projection, dim),
    )


def _input_cycles(config: AcceleratorConfig, network: Network) -> NetworkCycles:
    patches = network.patch_tokens * network.patch_inputs * IMAGE_CHANNEL_BYTES
    positions = network.tokens * network.dim * POSITION_CHANNEL_BYTES
    linear = linear_cycles(config, network.patch_inputs, network.dim, network.patch_tokens)
    return NetworkCycles(patch_embedding=_beats(config, patches + positions) + linear)


def _output_cycles(config: AcceleratorConfig, network: Network) -> NetworkCycles:
    return NetworkCycles(
        layer_norm=norm_cycles(config, 1, network.dim),
        classifier=linear_cycles(config, network.dim, network.classes, 1),
    )


def _beats(config: AcceleratorConfig, size: int) -> int:
    return -(-size // config.bus_bytes)


def _importance(maps: np.ndarray, mask: np.ndarray | None, live: np.ndarray) -> np.ndarray:
    among = maps[:, live][:, :, live]
    if mask is not None:
        among = among * mask[:, live][:, :, live]
    row_sums = among.sum(axis=-1)
    weights = np.divide(1, row_sums, out=np.zeros_like(row_sums), where=row_sums > 0)
    importance = np.zeros(len(live))
    importance[live] = np.einsum("hq,hqk->k", weights, among)
    return importance


def _keep(importance: np.ndarray, live: np.ndarray, keep: int) -> np.ndarray:
    if keep >= np.count_nonzero(live):
        return live
    return select_tokens(torch.from_numpy(importance), torch.from_numpy(live), keep).numpy()


def check_fit(config: AcceleratorConfig, network: Network) -> None:
    """Raise UserError if the configuration cannot hold the network."""
    limits = {
        "max_tokens": (network.tokens, config.max_tokens),
        "max_heads": (network.heads, config.max_heads),
        "width": (network.head_dim, config.width),
        "max_dim": (network.dim, config.max_dim),
    }
    for name, (needed, available) in limits.items():
        if needed > available:
            raise UserError(
                f"{network.name} needs {name} = {needed}, this configuration has {available}: "
                "choose a larger preset"
            )


def _check_live(live: np.ndarray, layer_tokens: Sequence[LayerTokens]) -> None:
    counts = [int(count) for count in live.sum(axis=-1)]
    expected = [tokens.attention for tokens in layer_tokens]
    if counts != expected:
        raise UserError(f"{counts} live tokens: the schedule leaves {expected}")
