"""Compiler of attention layers: packs Q, K, V, masks and commands into one memory image.

Image layout, from address 0: the program, then for every layer and head its mask (`mask_bytes` a row), Q, K
and V (`width` bytes a row, channels beyond the head dimension are 0), then room for the output rows. All
parts start on whole beats and whole words of their target memories.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from model.layers import AttentionLayer
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import COMMAND, COMMAND_BYTES, Opcode, Target, command_pitch, word_bytes
from rtl_gen.errors import UserError


@dataclass(frozen=True)
class Program:
    """A memory image that the accelerator runs from address 0."""

    image: np.ndarray  # uint8
    commands: list[dict]
    """Fields of every command, in order."""
    outputs: list[list[int]]
    """Address of the output rows of every layer and head."""


def compile_layers(
    config: AcceleratorConfig, tokens: int, layers: Sequence[AttentionLayer]
) -> Program:
    """A program that makes `tokens` tokens live and runs `layers` one after the other.

    Raises UserError for what the configuration cannot hold.
    """
    _check(config, tokens, layers)
    commands = [{"opcode": Opcode.SET_TOKENS, "count": tokens}]
    parts: list[tuple[int, np.ndarray]] = []
    outputs: list[list[int]] = []
    count = 2 + sum(5 * layer.heads + (layer.keep is not None) for layer in layers)
    alignment = max(config.width, config.mask_word_bytes, command_pitch(config))
    end = _align(count * command_pitch(config), alignment)

    def place(data: np.ndarray) -> int:
        nonlocal end
        address = end
        parts.append((address, data))
        end = _align(address + len(data), alignment)
        return address

    for layer in layers:
        outputs.append([])
        for head in range(layer.heads):
            mask = pack_mask(config, layer.mask[head])
            rows = {
                Target.QUERY: pack_rows(config, layer.q[head]),
                Target.KEY: pack_rows(config, layer.k[head]),
                Target.VALUE: pack_rows(config, layer.v[head]),
            }
            for target, data in {Target.MASK: mask, **rows}.items():
                words = len(data) // word_bytes(config, target)
                commands.append(
                    {"opcode": Opcode.LOAD, "target": target, "count": words, "address": place(data)}
                )
            output = place(np.zeros(tokens * config.width, np.uint8))
            outputs[-1].append(output)
            scales = layer.scales[head]
            commands.append(
                {
                    "opcode": Opcode.ATTEND,
                    "address": output,
                    "accumulate": int(layer.keep is not None),
                    "score": scales.score._asdict(),
                    "output": scales.output._asdict(),
                }
            )
        if layer.keep is not None:
            commands.append({"opcode": Opcode.PRUNE, "count": layer.keep})
    commands.append({"opcode": Opcode.HALT})

    image = np.zeros(end, np.uint8)
    for index, command in enumerate(commands):
        start = index * command_pitch(config)
        image[start : start + COMMAND_BYTES] = np.frombuffer(encode(command), np.uint8)
    for address, data in parts:
        image[address : address + len(data)] = data
    return Program(image, commands, outputs)


def encode(command: dict) -> bytes:
    """A command's COMMAND_BYTES."""
    return COMMAND.const(command).as_value().value.to_bytes(COMMAND_BYTES, "little")


def pack_rows(config: AcceleratorConfig, rows: Tensor) -> np.ndarray:
    """(n, d) int8 values as n rows of `width` bytes."""
    packed = np.zeros((rows.shape[0], config.width), np.int8)
    packed[:, : rows.shape[1]] = rows.numpy()
    return packed.reshape(-1).view(np.uint8)


def pack_mask(config: AcceleratorConfig, mask: Tensor) -> np.ndarray:
    """(n, n) kept entries as whole mask words; bit j of a row is key j."""
    bits = np.packbits(mask.numpy(), axis=1, bitorder="little")
    words = -(-len(bits) // config.rows_per_mask_word)
    packed = np.zeros((words * config.rows_per_mask_word, config.mask_bytes), np.uint8)
    packed[: len(bits), : bits.shape[1]] = bits
    return packed.reshape(-1)


def unpack_rows(memory: np.ndarray, address: int, tokens: int, dim: int, width: int) -> np.ndarray:
    """The int8 output rows (tokens, dim) at `address`."""
    rows = memory[address : address + tokens * width].view(np.int8).reshape(tokens, width)
    return rows[:, :dim]


def _align(address: int, alignment: int) -> int:
    return -(-address // alignment) * alignment


def _check(config: AcceleratorConfig, tokens: int, layers: Sequence[AttentionLayer]) -> None:
    if not 1 <= tokens <= config.max_tokens:
        raise UserError(
            f"{tokens} tokens: this configuration holds 1 to {config.max_tokens} (max_tokens)"
        )
    for index, layer in enumerate(layers):
        if layer.head_dim > config.width:
            raise UserError(
                f"layer {index}: head dimension {layer.head_dim} exceeds the {config.width} "
                "channels of a lane (width)"
            )
        if layer.heads > config.max_heads:
            raise UserError(
                f"layer {index}: {layer.heads} heads exceed the {config.max_heads} that the "
                "importance sums hold (max_heads)"
            )
        if layer.tokens != tokens:
            raise UserError(f"layer {index}: {layer.tokens} tokens, expected {tokens}")
        if layer.keep is not None and not 1 <= layer.keep <= tokens:
            raise UserError(f"layer {index}: keep = {layer.keep}, expected 1 to {tokens} tokens")
