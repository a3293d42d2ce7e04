"""Cycles of a whole network by operation, equal to the RTL's from start to done.

`network_commands` lists what the compiler of networks emits (model/integer/compiler.py), without
the data, which do not matter; sim_models/program.py runs it. Unlike the compiler it can also prune
in another place of a layer, which is another place for the same command.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch

from model.golden import select_tokens
from model.networks import Network
from model.schedule import NO_PRUNING, LayerTokens, Placement, PruningSchedule
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.program_format import Opcode, Target
from rtl_gen.errors import UserError
from sim_models.attention import AttentionCycles, attend_cycles, beats_of
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.program import program_cycles


@dataclass(frozen=True)
class NetworkCycles:
    """Where the cycles of a network go. An operation's are those in which its unit is busy."""

    patch_embedding: int = 0
    qkv: int = 0
    attention: AttentionCycles = field(default_factory=AttentionCycles)
    pruning: int = 0
    """Selections, and the list of all tokens at the start."""
    projection: int = 0
    ffn: int = 0
    layer_norm: int = 0
    classifier: int = 0
    between: int = 0
    """No unit is at work: start, inputs, what a command needs before it can begin, logits."""
    counters: Mapping[str, int] = field(default_factory=dict, compare=False)
    """What the counters of the accelerator read."""

    def operations(self) -> dict[str, int]:
        """Cycles by operation."""
        names = [item.name for item in fields(self) if item.name != "counters"]
        return {**{name: getattr(self, name) for name in names}, "attention": self.attention.total}

    @property
    def total(self) -> int:
        return sum(self.operations().values())


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
    memory: MemoryTiming = DEFAULT_MEMORY,
) -> NetworkCycles:
    """Cycles of one image.

    masks: kept entries, bool (layers, heads, n, n); None for dense attention
    live: tokens live in the attention of every layer, bool (layers, n), from the golden run of an
        image or from `assumed_live`; None for all

    Raises:
        UserError: the configuration cannot hold the network, `live` does not fit the schedule, or
            a memory that cannot be.
    """
    check_fit(config, network)
    if live is None:
        live = np.ones((network.layers, network.tokens), dtype=np.bool_)
    _check_live(live, schedule.layer_tokens(network))
    dense = np.ones((network.heads, network.tokens, network.tokens), dtype=np.bool_)
    beats = [
        head
        for layer in range(network.layers)
        for head in beats_of(dense if masks is None else masks[layer], live[layer], config.lanes)
    ]
    operations, commands = zip(*network_commands(config, network, schedule), strict=True)
    program = program_cycles(config, commands, beats, memory)
    busy = dict.fromkeys(operations, 0)
    for operation, cycles in zip(operations, program.ends - program.starts, strict=True):
        busy[operation] += int(cycles)
    busy.pop(_TRANSFER)
    total = program.counters["cycles"]
    return NetworkCycles(
        **busy | {"attention": sum((attend_cycles(config, b) for b in beats), AttentionCycles())},
        between=total - sum(busy.values()),
        counters=program.counters,
    )


_TRANSFER = "transfer"
"""Commands that are no operation: their cycles are hidden behind others or lie in between."""


def network_commands(
    config: AcceleratorConfig, network: Network, schedule: PruningSchedule = NO_PRUNING
) -> Iterator[tuple[str, dict]]:
    """(operation, fields that matter to time) of every command; fields by name as in COMMAND."""
    tokens, dim = network.tokens, network.dim

    def linear(inputs: int, outputs: int, only_cls: int = 0) -> dict:
        slices, tiles = inputs // config.width, -(-outputs // config.lanes)
        fields = {"slices": slices, "tiles": tiles, "only_cls": only_cls}
        return {"opcode": Opcode.LINEAR, **fields}

    def load(target: Target, size: int, barrier: int = 0) -> tuple[str, dict]:
        rows = -(-size // config.width)
        fields = {"target": target, "count": rows, "barrier": barrier}
        return _TRANSFER, {"opcode": Opcode.LOAD, **fields}

    def norm(only_cls: int = 0) -> tuple[str, dict]:
        return "layer_norm", {"opcode": Opcode.NORM, "dim": dim, "only_cls": only_cls}

    channel_shifts = load(Target.CHANNEL_SHIFT, dim // config.norm_channels * config.width)
    yield "pruning", {"opcode": Opcode.SET_TOKENS, "count": tokens}
    yield load(Target.RESIDUAL, tokens * dim * numerics.RESIDUAL_BITS // 8, barrier=1)
    yield load(Target.HIDDEN, tokens * network.patch_inputs, barrier=1)
    yield channel_shifts
    yield "patch_embedding", linear(network.patch_inputs, dim)
    entering = tokens
    for layer in schedule.layer_tokens(network):
        prune = "pruning", {"opcode": Opcode.PRUNE, "count": layer.leaving}
        place = schedule.placement if layer.leaving < entering else None
        entering = layer.leaving
        if place is Placement.BEFORE_LAYER:
            yield prune
        yield norm()
        for _ in range(network.heads):
            yield "qkv", linear(dim, 3 * network.head_dim)
            yield load(Target.MASK, tokens * config.mask_bytes)
            yield "attention", {"opcode": Opcode.ATTEND}
        if place is Placement.AFTER_ATTENTION:
            yield prune
        yield "projection", linear(dim, dim)
        yield load(Target.GELU, 256)
        yield channel_shifts
        yield norm()
        yield "ffn", linear(dim, network.hidden)
        yield "ffn", linear(network.hidden, dim)
        yield channel_shifts
        if place is Placement.AFTER_FFN:
            yield prune
    yield norm(only_cls=1)
    yield "classifier", linear(dim, network.classes, only_cls=1)
    logit_rows = -(-network.classes * numerics.LOGIT_BITS // config.row_bits)
    yield _TRANSFER, {"opcode": Opcode.STORE, "target": Target.HIDDEN, "count": logit_rows}
    yield _TRANSFER, {"opcode": Opcode.HALT}


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
    if network.head_dim < config.width:
        raise UserError(
            f"{network.name} has heads of {network.head_dim} channels: whole networks need as many "
            f"as the width of the configuration, {config.width}"
        )


def _check_live(live: np.ndarray, layer_tokens: Sequence[LayerTokens]) -> None:
    counts = [int(count) for count in live.sum(axis=-1)]
    expected = [tokens.attention for tokens in layer_tokens]
    if counts != expected:
        raise UserError(f"{counts} live tokens: the schedule leaves {expected}")
