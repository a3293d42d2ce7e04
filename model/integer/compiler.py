"""Compiler of whole networks: an `IntegerNetwork` with masks and a pruning schedule as one image.

The program is the same for every image: the patches have a place in it, at `Image.input`, that the
host fills. Nothing depends on which tokens survive.

Order of a layer: norm 1; for each head its QKV layer, its mask (loads behind that layer's last
tile) and attention; pruning; projection; norm 2; FFN. Channel shifts and GELU tables load behind
the linear layer before their use.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from model.fit import check_fit
from model.image import TOKEN_TARGETS, Image, ImageBuilder, pack_mask
from model.integer.network import IntegerNetwork, Layer, Linear, Norm
from model.network import Network
from model.networks import PROTECTED_TOKENS
from model.vitcod_io import check_masks
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.interfaces.targets import Target
from rtl_gen.linear.weight_buffer import channel_layout, parameter_rows
from rtl_gen.numerics import Scale


def compile_network(
    config: AcceleratorConfig,
    network: IntegerNetwork,
    masks: Tensor,
    keep: Sequence[int | None],
    *,
    dump: bool = False,
) -> Image:
    """The image of a network.

    Args:
        config: the hardware.
        network: the integers.
        masks: bool (layers, heads, n, n), True = kept.
        keep: tokens, CLS included, that each layer leaves; None for no pruning.
        dump: also store every intermediate tensor that lies in a memory.

    Raises:
        UserError: the network does not fit the configuration, or masks or counts not the network.
    """
    check_fit(config, network.shape)
    check_masks(masks.numpy(), network.shape)
    _check_keep(network.shape, keep)
    return _Compiler(config, network, dump=dump).compile(masks, keep)


class _Compiler:
    def __init__(self, config: AcceleratorConfig, network: IntegerNetwork, *, dump: bool):
        self.config, self.network, self.dump = config, network, dump
        self.builder = ImageBuilder(config)

    def compile(self, masks: Tensor, keep: Sequence[int | None]) -> Image:
        builder, shape, parameters = self.builder, self.network.shape, self.network.parameters
        tokens, dim_rows = shape.tokens, shape.dim // self.config.width
        builder.emit(Opcode.SET_TOKENS, count=tokens)
        initial = parameters.initial.numpy().astype("<i2").tobytes()
        builder.load(Target.RESIDUAL, initial, barrier=True)
        patches = bytes(tokens * shape.patch_inputs)
        input_address = builder.load(Target.HIDDEN, patches, barrier=True)
        self.channel_shifts(parameters.layers[0].norm1)
        self.linear(parameters.patch, Source.HIDDEN, Destination.RESIDUAL, 2 * dim_rows)
        self.dump_tensor("embedding", Target.RESIDUAL, (tokens, shape.dim))

        norms = [layer.norm1 for layer in parameters.layers[1:]] + [parameters.norm]
        for index, layer in enumerate(parameters.layers):
            self.layer(f"layers.{index}", layer, masks[index], keep[index], norms[index])
        self.norm(parameters.norm, only_cls=1)
        self.dump_tensor("norm", Target.ACTIVATION, (1, shape.dim))
        self.linear(parameters.classifier, Source.ACTIVATION, Destination.LOGITS, 0, only_cls=1)
        builder.store("logits", Target.HIDDEN, (1, shape.classes), numerics.LOGIT_BITS)
        return builder.finish(input_address, (shape.patch_tokens, shape.patch_inputs))

    def layer(
        self, name: str, layer: Layer, mask: Tensor, keep: int | None, next_norm: Norm
    ) -> None:
        """One encoder layer; ends with the channel shifts of the norm behind it on chip."""
        builder, config, shape = self.builder, self.config, self.network.shape
        tokens, dim_rows = shape.tokens, shape.dim // config.width
        self.norm(layer.norm1)
        self.dump_tensor(f"{name}.norm1", Target.ACTIVATION, (tokens, shape.dim))
        for head, scales in enumerate(layer.heads):
            self.linear(layer.head_qkv(head), Source.ACTIVATION, Destination.QKV, 0)
            builder.load(Target.MASK, pack_mask(config, mask[head]), barrier=False)
            for target in TOKEN_TARGETS:
                letter = target.name[0].lower()
                self.dump_tensor(f"{name}.{letter}.{head}", target, (tokens, shape.head_dim))
            builder.emit(
                Opcode.ATTEND,
                first=head,
                pitch=dim_rows,
                accumulate=int(keep is not None or self.dump),
                scale_a=scales.score._asdict(),
                scale_b=scales.output._asdict(),
            )
        self.dump_tensor(f"{name}.attention", Target.HIDDEN, (tokens, shape.dim))
        self.dump_tensor(f"{name}.importance", Target.IMPORTANCE, (tokens,), 32)
        if keep is not None or self.dump:
            # Without pruning, a selection of all tokens clears the sums that were dumped.
            count = tokens if keep is None else keep
            builder.emit(Opcode.PRUNE, count=count, prefix=PROTECTED_TOKENS)
        self.dump_tensor(f"{name}.survivors", Target.LIVE, (tokens,), 1)
        self.linear(layer.projection, Source.HIDDEN, Destination.RESIDUAL, 2 * dim_rows)
        builder.load(Target.GELU, layer.gelu.numpy().tobytes(), barrier=False)
        self.channel_shifts(layer.norm2)
        self.dump_tensor(f"{name}.x_mid", Target.RESIDUAL, (tokens, shape.dim))
        self.norm(layer.norm2)
        self.dump_tensor(f"{name}.norm2", Target.ACTIVATION, (tokens, shape.dim))
        self.linear(layer.ffn1, Source.ACTIVATION, Destination.HIDDEN, shape.hidden // config.width)
        self.dump_tensor(f"{name}.hidden", Target.HIDDEN, (tokens, shape.hidden))
        self.linear(layer.ffn2, Source.HIDDEN, Destination.RESIDUAL, 2 * dim_rows)
        self.channel_shifts(next_norm)
        self.dump_tensor(f"{name}.x_out", Target.RESIDUAL, (tokens, shape.dim))

    def dump_tensor(
        self, name: str, target: Target, shape: tuple[int, ...], bits: int | None = None
    ) -> None:
        if self.dump:
            default = numerics.RESIDUAL_BITS if target == Target.RESIDUAL else 8
            self.builder.store(name, target, shape, default if bits is None else bits)

    def channel_shifts(self, norm: Norm) -> None:
        """One byte a channel, `norm_channels` in a row; loads behind a linear layer's last tile."""
        shifts = norm.channel_shift.numpy().reshape(-1, self.config.norm_channels)
        rows = np.zeros((len(shifts), self.config.width), np.uint8)
        rows[:, : shifts.shape[1]] = shifts
        self.builder.load(Target.CHANNEL_SHIFT, rows.tobytes(), barrier=False)

    def norm(self, norm: Norm, only_cls: int = 0) -> None:
        dim = self.network.shape.dim
        mean = Scale.nearest((1 << numerics.NORM_MEAN_FRACTION_BITS) / dim)
        self.builder.emit(
            Opcode.NORM,
            dim=dim,
            only_cls=only_cls,
            scale_a=mean._asdict(),
            scale_b=norm.scale._asdict(),
        )

    def linear(
        self,
        layer: Linear,
        source: Source,
        destination: Destination,
        pitch: int,
        only_cls: int = 0,
    ) -> None:
        payload, tiles = pack_linear(self.config, layer)
        self.builder.emit(
            Opcode.LINEAR,
            payload,
            source=source,
            destination=destination,
            pitch=pitch,
            slices=layer.inputs // self.config.width,
            tiles=tiles,
            only_cls=only_cls,
        )


def pack_linear(config: AcceleratorConfig, layer: Linear) -> tuple[bytes, int]:
    """The payload of a LINEAR command and its number of tiles, the last one filled with zeros."""
    lanes, width = config.lanes, config.width
    tiles = -(-layer.outputs // lanes)
    slices = layer.inputs // width
    weight = np.zeros((tiles * lanes, layer.inputs), np.int8)
    weight[: layer.outputs] = layer.weight.numpy()
    weight = weight.reshape(tiles, lanes, slices, width).transpose(0, 2, 1, 3)

    parameters = np.zeros(
        tiles * lanes,
        np.dtype([("bias", "<i4"), ("multiplier", "<u2"), ("shift", "u1"), ("reserved", "u1")]),
    )
    assert parameters.itemsize * 8 == channel_layout().size
    parameters["shift"] = 1
    parameters["bias"][: layer.outputs] = layer.bias.numpy()
    parameters["multiplier"][: layer.outputs] = layer.multiplier.numpy()
    parameters["shift"][: layer.outputs] = layer.shift.numpy()
    rows = np.zeros((tiles, parameter_rows(config) * width), np.uint8)
    packed = parameters.view(np.uint8).reshape(tiles, -1)
    rows[:, : packed.shape[1]] = packed
    body = weight.reshape(tiles, -1).view(np.uint8)
    return np.concatenate([rows, body], axis=1).tobytes(), tiles


def _check_keep(shape: Network, keep: Sequence[int | None]) -> None:
    if len(keep) != shape.layers:
        raise UserError(
            f"{len(keep)} counts of kept tokens: {shape.name} has {shape.layers} layers"
        )
    for layer, count in enumerate(keep):
        if count is not None and not PROTECTED_TOKENS <= count <= shape.tokens:
            raise UserError(
                f"layer {layer} keeps {count} tokens: expected {PROTECTED_TOKENS} to "
                f"{shape.tokens}, CLS included"
            )
