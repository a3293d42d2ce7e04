"""Compiler of whole networks: an `IntegerNetwork` with masks and a pruning schedule as one image.

The program is the same for every image: the patches have a place in it, one for every core, that
the host fills, `Image.inputs`. Nothing depends on which tokens survive. The commands and their
order are those of model/program/steps.py; here they get their data.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import Tensor

from model.integer.network import IntegerNetwork, Linear, Norm
from model.integer.pooling import averaged_tokens, pool_scale
from model.masks.vitcod_file import check_masks
from model.network.fit import check_fit
from model.network.shape import Network
from model.program.memory_image import Image, ImageBuilder, Input, pack_mask
from model.program.step import Parameter, Step
from model.program.steps import network_steps
from model.program.whole_rows import places_of, slices_of, tiles_of
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
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
        keep: tokens, the prefix included, that each layer leaves; None for no pruning.
        dump: also store every intermediate tensor that lies in a memory.

    Raises:
        UserError: the network does not fit the configuration, or masks or counts not the network.
    """
    check_fit(config, network.shape)
    check_masks(masks.numpy(), network.shape)
    check_keep(network.shape, keep)
    compiler = _Compiler(config, network, masks, averaged_tokens(network.shape, keep))
    steps = network_steps(config, network.shape, keep, dump=dump)
    return compiler.compile(steps)


class _Compiler:
    """`averaged`: tokens of the mean that a POOL makes."""

    def __init__(
        self, config: AcceleratorConfig, network: IntegerNetwork, masks: Tensor, averaged: int
    ):
        self.config, self.shape, self.averaged = config, network.shape, averaged
        self.parameters = SimpleNamespace(masks=masks, **vars(network.parameters))

    def compile(self, steps: Sequence[Step]) -> Image:
        builder, shape, inputs = ImageBuilder(self.config), self.shape, []
        for step in steps:
            match step.opcode:
                case Opcode.HALT:
                    break
                case Opcode.STORE:
                    builder.store_tensor(step.stored)
                case Opcode.LOAD if step.fields["input"]:
                    pitch = step.fields["count"] // shape.tokens * self.config.width
                    address = builder.emit(**step.command, payload=bytes(shape.tokens * pitch))
                    first = address + shape.prefix_tokens * pitch
                    places = (shape.patch_tokens, shape.patch_inputs)
                    inputs.append(Input(first, places, pitch))
                case _:
                    builder.emit(**step.command, **self.scales(step), payload=self.payload(step))
        return builder.finish(inputs)

    def parameter(self, parameter: Parameter) -> Any:
        value: Any = self.parameters
        for part in parameter.name.split("."):
            value = value[int(part)] if part.isdecimal() else getattr(value, part)
        return value

    def scales(self, step: Step) -> dict[str, dict]:
        match step.opcode:
            case Opcode.NORM:
                mean = Scale.nearest((1 << numerics.NORM_MEAN_FRACTION_BITS) / self.shape.dim)
                scales = mean, self.parameter(step.parameter).scale
            case Opcode.ATTEND:
                head = self.parameter(step.parameter)
                scales = head.score, head.output
            case Opcode.POOL:
                scales = (pool_scale(self.averaged),)
            case _:
                scales = ()
        names = ("scale_a", "scale_b")
        return {name: scale._asdict() for name, scale in zip(names, scales, strict=False)}

    def payload(self, step: Step) -> bytes:
        config, target = self.config, step.fields.get("target")
        if step.opcode == Opcode.LINEAR:
            return self.weights(step.parameter)
        if step.opcode != Opcode.LOAD:
            return b""
        size = step.fields["count"] * config.width
        value = None if step.parameter is None else self.parameter(step.parameter)
        match target:
            case Target.RESIDUAL if value is None:
                data = b""
            case Target.RESIDUAL:
                data = self.residual(value)
            case Target.CHANNEL_SHIFT:
                data = self.channel_shifts(value)
            case Target.MASK:
                data = pack_mask(config, value)
            case _:
                data = value.numpy().tobytes()
        return data.ljust(size, b"\0")

    def weights(self, parameter: Parameter) -> bytes:
        layer = self.parameter(parameter)
        if parameter.outputs is not None:
            layer = layer.rows(parameter.first, parameter.outputs)
        return pack_linear(self.config, layer, parameter.input_groups, parameter.output_groups)[0]

    def residual(self, values: Tensor) -> bytes:
        """(n, D) int16 in whole rows."""
        tokens, dim = values.shape
        rows = np.zeros((tokens, self.config.channel_rows(dim) * self.config.width), "<i2")
        rows[:, :dim] = values.numpy()
        return rows.tobytes()

    def channel_shifts(self, norm: Norm) -> bytes:
        """One byte a channel, `norm_channels` in a row."""
        config, dim = self.config, len(norm.channel_shift)
        rows = np.zeros((2 * config.channel_rows(dim), config.width), np.uint8)
        halves = np.zeros((len(rows), config.norm_channels), np.uint8)
        halves.reshape(-1)[:dim] = norm.channel_shift.numpy()
        rows[:, : config.norm_channels] = halves
        return rows.tobytes()


def pack_linear(
    config: AcceleratorConfig, layer: Linear, input_groups: int = 1, output_groups: int = 1
) -> tuple[bytes, int]:
    """The payload of a LINEAR command and its number of tiles.

    What fills groups of inputs and outputs, and the last tile, is zero.
    """
    lanes, width = config.lanes, config.width
    slices = slices_of(config, layer.inputs, input_groups)
    tiles = tiles_of(config, layer.outputs, output_groups)
    places = places_of(config, layer.outputs, output_groups)

    weight = np.zeros((tiles * lanes, input_groups, slices // input_groups * width), np.int8)
    values = layer.weight.numpy().reshape(layer.outputs, input_groups, -1)
    weight[places, :, : values.shape[2]] = values
    weight = weight.reshape(tiles, lanes, slices, width).transpose(0, 2, 1, 3)

    parameters = np.zeros(
        tiles * lanes,
        np.dtype([("bias", "<i4"), ("multiplier", "<u2"), ("shift", "u1"), ("reserved", "u1")]),
    )
    assert parameters.itemsize * 8 == channel_layout().size
    parameters["shift"] = 1
    parameters["bias"][places] = layer.bias.numpy()
    parameters["multiplier"][places] = layer.multiplier.numpy()
    parameters["shift"][places] = layer.shift.numpy()
    rows = np.zeros((tiles, parameter_rows(config) * width), np.uint8)
    packed = parameters.view(np.uint8).reshape(tiles, -1)
    rows[:, : packed.shape[1]] = packed
    body = weight.reshape(tiles, -1).view(np.uint8)
    return np.concatenate([rows, body], axis=1).tobytes(), tiles


def fewest_tokens(shape: Network) -> int:
    """That a layer may leave: the prefix, and a token to average."""
    return max(1, shape.prefix_tokens, shape.left_out + shape.pools)


def check_keep(shape: Network, keep: Sequence[int | None]) -> None:
    """Raise UserError unless every layer can leave so many tokens."""
    if len(keep) != shape.layers:
        raise UserError(
            f"{len(keep)} counts of kept tokens: {shape.name} has {shape.layers} layers"
        )
    fewest = fewest_tokens(shape)
    for layer, count in enumerate(keep):
        if count is not None and not fewest <= count <= shape.tokens:
            raise UserError(
                f"layer {layer} keeps {count} tokens: expected {fewest} to {shape.tokens}, "
                f"the first {shape.prefix_tokens} included"
            )
