"""Attention layers on their own: what the accelerator is given, their golden run and their image.

Here Q, K and V come from memory; in a whole network the QKV layer writes them on chip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.integer.attention import HeadScales, HeadTrace, attend, select_tokens
from model.program.memory_image import Image, ImageBuilder, pack_mask, pack_rows
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.targets import Target


@dataclass(frozen=True)
class AttentionLayer:
    """Integer inputs of one layer's attention; h heads, n tokens, d channels a head."""

    q: Tensor  # (h, n, d) int8 values
    k: Tensor  # (h, n, d) int8 values
    v: Tensor  # (h, n, d) int8 values
    mask: Tensor  # (h, n, n) bool, True = kept
    scales: tuple[HeadScales, ...]
    keep: int | None = None
    """Tokens, the prefix included, that stay after this layer; None: no pruning."""
    prefix: int = 1
    """The first tokens, which stay before all others."""

    @property
    def heads(self) -> int:
        return self.q.shape[0]

    @property
    def tokens(self) -> int:
        return self.q.shape[1]

    @property
    def head_dim(self) -> int:
        return self.q.shape[2]


@dataclass(frozen=True)
class LayerTrace:
    """Golden results of one layer."""

    live: Tensor  # (n,) bool: tokens that the layer works on
    heads: list[HeadTrace]
    importance: Tensor  # (n,) column sums over queries and heads
    survivors: Tensor  # (n,) bool: tokens live after the layer

    def kept_entries(self, mask: Tensor) -> Tensor:
        """(h, n, n) entries that are computed."""
        return mask & self.live[:, None] & self.live


def run_layers(tokens: int, layers: Sequence[AttentionLayer]) -> list[LayerTrace]:
    """Golden run: each layer attends over the survivors of the layers before it."""
    live = torch.ones(tokens, dtype=torch.bool)
    traces = []
    for layer in layers:
        heads = [
            attend(layer.q[h], layer.k[h], layer.v[h], layer.mask[h], live, layer.scales[h])
            for h in range(layer.heads)
        ]
        importance = torch.stack([trace.importance for trace in heads]).sum(0)
        survivors = live
        if layer.keep is not None:
            survivors = select_tokens(importance, live, layer.keep, layer.prefix)
        traces.append(LayerTrace(live, heads, importance, survivors))
        live = survivors
    return traces


def compile_layers(
    config: AcceleratorConfig, tokens: int, layers: Sequence[AttentionLayer]
) -> Image:
    """An image that runs the attention of `layers` one after the other.

    It stores `layers.i.attention` (tokens, heads * width) of every layer, and `survivors` at the
    end.

    Raises UserError for what the configuration cannot hold.
    """
    _check(config, tokens, layers)
    builder = ImageBuilder(config)
    builder.emit(Opcode.SET_TOKENS, count=tokens)
    for index, layer in enumerate(layers):
        for head, scales in enumerate(layer.scales):
            builder.load(Target.QUERY, pack_rows(config, layer.q[head]), barrier=True)
            builder.load(Target.KEY, pack_rows(config, layer.k[head]), barrier=True)
            builder.load(Target.VALUE, pack_rows(config, layer.v[head]), barrier=True)
            builder.load(Target.MASK, pack_mask(config, layer.mask[head]), barrier=True)
            builder.emit(
                Opcode.ATTEND,
                first=head,
                pitch=layer.heads,
                accumulate=int(layer.keep is not None),
                scale_a=scales.score._asdict(),
                scale_b=scales.output._asdict(),
            )
        shape = (tokens, layer.heads * config.width)
        builder.store(f"layers.{index}.attention", Target.HIDDEN, shape)
        if layer.keep is not None:
            builder.emit(Opcode.PRUNE, count=layer.keep, prefix=layer.prefix)
    builder.store("survivors", Target.LIVE, (tokens,), 1)
    return builder.finish()


def _check(config: AcceleratorConfig, tokens: int, layers: Sequence[AttentionLayer]) -> None:
    if not 1 <= tokens <= config.max_tokens:
        raise UserError(
            f"{tokens} tokens: this configuration holds 1 to {config.max_tokens} (max_tokens)"
        )
    most_heads = min(config.max_heads, words(config, "hidden") // config.max_tokens)
    for index, layer in enumerate(layers):
        if layer.head_dim > config.width:
            raise UserError(
                f"layer {index}: head dimension {layer.head_dim} exceeds the {config.width} "
                "channels of a lane (width)"
            )
        if layer.heads > most_heads:
            raise UserError(
                f"layer {index}: {layer.heads} heads exceed the {most_heads} that this "
                "configuration holds (max_heads, max_dim)"
            )
        if layer.tokens != tokens:
            raise UserError(f"layer {index}: {layer.tokens} tokens, expected {tokens}")
        shape = layer.heads, tokens, tokens
        if layer.mask.shape != shape or layer.mask.dtype != torch.bool:
            raise UserError(
                f"layer {index}: mask of shape {tuple(layer.mask.shape)} and type "
                f"{layer.mask.dtype}, expected bool {shape}"
            )
        if layer.keep is not None and not 1 <= layer.keep <= tokens:
            raise UserError(f"layer {index}: keep = {layer.keep}, expected 1 to {tokens} tokens")
