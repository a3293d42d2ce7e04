"""Attention layers on their own as an image.

Here Q, K and V come from memory; in a whole network the QKV layer writes them on chip.
"""

from collections.abc import Sequence

import torch

from model.integer.attention_layers import AttentionLayer
from model.program.memory_image import Image, ImageBuilder, pack_mask, pack_rows
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.targets import Target


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
