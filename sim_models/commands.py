"""The commands of a whole network, as the compiler emits them (model/integer/compiler.py).

Data do not matter to time and are left out. Unlike the compiler this can also prune in another
place of a layer, which is another place for the same command.
"""

from collections.abc import Iterator
from typing import NamedTuple

from model.network import Network
from model.schedule import NO_PRUNING, LayerTokens, Placement, Schedule
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.targets import Target

TRANSFER = "transfer"
"""Commands that are no operation: their cycles are hidden behind others or lie in between."""


class Command(NamedTuple):
    """One command and what it is for."""

    operation: str
    """Name of a field of NetworkCycles, or TRANSFER."""
    layer: int | None
    """None before the first layer and behind the last."""
    fields: dict
    """Those that matter to time, by name as in a program."""


def network_commands(
    config: AcceleratorConfig, network: Network, schedule: Schedule = NO_PRUNING
) -> Iterator[Command]:
    """Every command of one image, in order."""
    for operation, fields in _opening(config, network):
        yield Command(operation, None, fields)
    entering = network.tokens
    for index, tokens in enumerate(schedule.layer_tokens(network)):
        place = schedule.placement if tokens.leaving < entering else None
        entering = tokens.leaving
        for operation, fields in _layer(config, network, tokens, place):
            yield Command(operation, index, fields)
    for operation, fields in _closing(config, network):
        yield Command(operation, None, fields)


_Commands = Iterator[tuple[str, dict]]


def _opening(config: AcceleratorConfig, network: Network) -> _Commands:
    tokens, dim = network.tokens, network.dim
    yield "pruning", {"opcode": Opcode.SET_TOKENS, "count": tokens}
    residual_bytes = tokens * dim * numerics.RESIDUAL_BITS // 8
    yield _load(config, Target.RESIDUAL, residual_bytes, barrier=1)
    yield _load(config, Target.HIDDEN, tokens * network.patch_inputs, barrier=1)
    yield _channel_shifts(config, network)
    yield "patch_embedding", _linear(config, network.patch_inputs, dim)


def _layer(
    config: AcceleratorConfig, network: Network, tokens: LayerTokens, place: Placement | None
) -> _Commands:
    """`place`: where this layer prunes, or None."""
    dim, hidden = network.dim, network.hidden
    prune = "pruning", {"opcode": Opcode.PRUNE, "count": tokens.leaving}
    if place is Placement.BEFORE_LAYER:
        yield prune
    yield _norm(network)
    for _ in range(network.heads):
        yield "qkv", _linear(config, dim, 3 * network.head_dim)
        yield _load(config, Target.MASK, network.tokens * config.mask_bytes)
        yield "attention", {"opcode": Opcode.ATTEND}
    if place is Placement.AFTER_ATTENTION:
        yield prune
    yield "projection", _linear(config, dim, dim)
    yield _load(config, Target.GELU, numerics.GELU_ENTRIES)
    yield _channel_shifts(config, network)
    yield _norm(network)
    yield "ffn", _linear(config, dim, hidden)
    yield "ffn", _linear(config, hidden, dim)
    yield _channel_shifts(config, network)
    if place is Placement.AFTER_FFN:
        yield prune


def _closing(config: AcceleratorConfig, network: Network) -> _Commands:
    yield _norm(network, only_cls=1)
    yield "classifier", _linear(config, network.dim, network.classes, only_cls=1)
    logit_rows = -(-network.classes * numerics.LOGIT_BITS // config.row_bits)
    yield TRANSFER, {"opcode": Opcode.STORE, "target": Target.HIDDEN, "count": logit_rows}
    yield TRANSFER, {"opcode": Opcode.HALT}


def _linear(config: AcceleratorConfig, inputs: int, outputs: int, only_cls: int = 0) -> dict:
    slices, tiles = inputs // config.width, -(-outputs // config.lanes)
    return {"opcode": Opcode.LINEAR, "slices": slices, "tiles": tiles, "only_cls": only_cls}


def _load(
    config: AcceleratorConfig, target: Target, size: int, barrier: int = 0
) -> tuple[str, dict]:
    rows = -(-size // config.width)
    return TRANSFER, {"opcode": Opcode.LOAD, "target": target, "count": rows, "barrier": barrier}


def _channel_shifts(config: AcceleratorConfig, network: Network) -> tuple[str, dict]:
    rows = network.dim // config.norm_channels
    return _load(config, Target.CHANNEL_SHIFT, rows * config.width)


def _norm(network: Network, only_cls: int = 0) -> tuple[str, dict]:
    return "layer_norm", {"opcode": Opcode.NORM, "dim": network.dim, "only_cls": only_cls}
