"""Memory images: programs of the accelerator as bytes, and where everything lies in them.

An image starts at address 0 with the program (rtl_gen/interfaces/program.py); what the program
stores goes behind it. `ImageBuilder` appends commands with their payload; compilers of attention
layers and of whole networks (model/program/) drive it.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode, payload_is_from_host
from rtl_gen.errors import UserError
from rtl_gen.interfaces.checksum import checksum, sealed
from rtl_gen.interfaces.program import (
    HEADER,
    MAGIC,
    VERSION,
    check_memory_bytes,
    command_layout,
    pack_record,
    record_bytes,
)
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.json_file import write_json

TOKEN_TARGETS = (Target.QUERY, Target.KEY, Target.VALUE)
"""Memories with one row a token."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that the program writes to memory, row by row."""

    name: str
    """As the golden model names it."""
    target: Target
    address: int
    rows: int
    shape: tuple[int, ...]
    """Tokens and channels; only tokens for importance and live maps."""
    bits: int
    """Of an element."""
    groups: int = 1
    """Equal parts of a token's channels, each of which begins a row."""
    core: int = 0
    """The core whose it is, and so the image of a batch."""

    @classmethod
    def of(
        cls,
        config: AcceleratorConfig,
        name: str,
        target: Target,
        shape: tuple[int, ...],
        bits: int = 8,
        groups: int = 1,
    ) -> "StoredTensor":
        """A tensor from the first row of `target` on, which has no address yet."""
        *tokens, channels = shape
        if target == Target.IMPORTANCE:
            rows = -(-channels // config.lanes) * config.importance_word_rows
        elif target == Target.LIVE:
            rows = transfers(config)[Target.LIVE].rows
        elif target == Target.RESIDUAL:
            # Whole rows of int8 channels, in as many bytes as a channel has.
            rows = math.prod(tokens) * config.channel_rows(channels) * bits // 8
        else:
            a_group = -(-channels // groups * bits // config.row_bits)
            rows = math.prod(tokens) * groups * a_group
        return cls(name, target, 0, rows, shape, bits, groups)

    def __add__(self, other: "StoredTensor") -> "StoredTensor":
        """Both in one, whose rows and last channels follow each other in memory."""
        *tokens, channels = self.shape
        shape = (*tokens, channels + other.shape[-1])
        return dataclasses.replace(self, rows=self.rows + other.rows, shape=shape)


@dataclass(frozen=True)
class Input:
    """Where the host puts the patches of a picture: int8, a patch every `pitch` bytes."""

    address: int
    shape: tuple[int, int]
    """Patches and inputs of each."""
    pitch: int


@dataclass(frozen=True)
class Image:
    """A memory image and its map."""

    config: AcceleratorConfig
    data: np.ndarray  # uint8
    commands: tuple[dict, ...]
    """Fields of every command, in order."""
    stored: tuple[StoredTensor, ...]
    memory_bytes: int
    """Size of the memory that the program needs: image and stored tensors."""
    inputs: tuple[Input, ...] = ()
    """Of a whole network: each core's."""

    def with_patches(self, patches: Tensor) -> np.ndarray:
        """The bytes of the image for a batch (b, patches, K) of int8 values, a picture a core.

        Cores that get none work on zeros.

        Raises:
            UserError: patches of another shape, too many, or values beyond int8.
        """
        shapes = [(number + 1, *place.shape) for number, place in enumerate(self.inputs)]
        if tuple(patches.shape) not in shapes:
            takes = " or ".join(map(str, shapes)) or "none"
            raise UserError(f"patches of shape {tuple(patches.shape)}: this image takes {takes}")
        data = self.data.copy()
        for place, picture in zip(self.inputs, patches, strict=False):
            count, channels = place.shape
            rows = data[place.address :][: count * place.pitch].reshape(count, place.pitch)
            rows[:, :channels] = _int8("patches", picture).view(np.uint8)
        return data

    def filled(self, patches: Tensor) -> Tensor:
        """(cores, patches, K): what the cores work on if they are given a batch (b, patches, K)."""
        missing = len(self.inputs) - len(patches)
        return torch.cat([patches, patches.new_zeros(missing, *patches.shape[1:])])

    def read(self, memory: np.ndarray, tensor: StoredTensor) -> np.ndarray:
        """A stored tensor out of the memory after the run; int64, or bool for a live map."""
        width = self.config.width
        raw = memory[tensor.address : tensor.address + tensor.rows * width]
        if tensor.target == Target.LIVE:
            return np.unpackbits(raw, bitorder="little")[: tensor.shape[0]].astype(bool)
        rows = raw.reshape(tensor.rows, width)
        if tensor.target == Target.IMPORTANCE:
            # A word of all lanes' sums takes whole rows.
            words = rows.reshape(-1, self.config.importance_word_rows * width)
            kind = np.dtype(np.uint32)
            rows = words[:, : kind.itemsize * self.config.lanes]
        else:
            kind = {8: np.int8, 16: np.int16}[tensor.bits]
        values = np.ascontiguousarray(rows).view(kind).astype(np.int64)
        *tokens, channels = tensor.shape
        groups = values.reshape(*tokens, tensor.groups, -1)
        return groups[..., : channels // tensor.groups].reshape(tensor.shape)

    def logits(self, memory: np.ndarray) -> np.ndarray:
        """Those of a whole network out of the memory after the run, int64 (cores, classes)."""
        stored = [tensor for tensor in self.stored if tensor.name == "logits"]
        return np.stack([self.read(memory, tensor).reshape(-1) for tensor in stored])

    def write_map(self, path: Path) -> None:
        """The map as JSON: configuration, inputs and stored tensors."""
        contents = {
            "config": self.config.as_dict(),
            "config_digest": self.config.digest(),
            "program_version": VERSION,
            "image_bytes": len(self.data),
            "memory_bytes": self.memory_bytes,
            "inputs": [dataclasses.asdict(place) for place in self.inputs],
            "stored": [
                {**dataclasses.asdict(tensor), "target": tensor.target.name}
                for tensor in self.stored
            ],
        }
        write_json(path, contents)


class ImageBuilder:
    """Appends commands and their payload; `finish` makes the image."""

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        self._record_bytes = record_bytes(config)
        self._layout = command_layout(config)
        self._parts: list[bytes] = []
        self._size = self._record_bytes
        self._commands: list[dict] = []
        self._stores: list[tuple[int, dict, StoredTensor]] = []
        self._from_host: set[int] = set()

    def emit(self, opcode: Opcode, payload: bytes = b"", **fields) -> int:
        """Append a command and its payload; returns the payload's address."""
        command = {"opcode": opcode, **fields}
        self._commands.append(command)
        self._append(pack_record(self._config, self._layout, command))
        address = self._size
        if payload_is_from_host(command):
            self._from_host.add(len(self._parts))
        self._append(payload)
        return address

    def load(self, target: Target, data: bytes, *, barrier: bool) -> int:
        """Fill a memory from its first row on; `data` is padded to whole rows."""
        width = self._config.width
        padded = data + bytes(-len(data) % width)
        rows = len(padded) // width
        return self.emit(Opcode.LOAD, padded, target=target, count=rows, barrier=int(barrier))

    def store(
        self, name: str, target: Target, shape: tuple[int, ...], bits: int = 8, groups: int = 1
    ) -> None:
        """Write a tensor to memory as `StoredTensor.of` describes it."""
        self.store_tensor(StoredTensor.of(self._config, name, target, shape, bits, groups))

    def store_tensor(self, tensor: StoredTensor) -> None:
        """Write a tensor to memory; one of the same name and core continues it."""
        command = {"opcode": Opcode.STORE, "target": tensor.target, "count": tensor.rows}
        if tensor.core:
            command["core"] = tensor.core
        self._stores.append((len(self._parts), command, tensor))
        self._commands.append(command)
        self._append(bytes(self._record_bytes))

    def finish(self, inputs: Sequence[Input] = ()) -> Image:
        """The image, ended by HALT.

        Raises:
            UserError: a program that addresses cannot reach.
        """
        config = self._config
        self.emit(Opcode.HALT)
        end, stored = self._size, []
        # A tensor that is stored in parts, with those of other cores in between, lies in one place.
        tensors: dict[tuple[str, int], list[tuple[int, dict, StoredTensor]]] = {}
        for store in self._stores:
            tensor = store[-1]
            tensors.setdefault((tensor.name, tensor.core), []).append(store)
        for parts in tensors.values():
            whole = reduce(add, (tensor for *_, tensor in parts))
            stored.append(dataclasses.replace(whole, address=end))
            for part, command, tensor in parts:
                command["address"] = end
                self._parts[part] = pack_record(config, self._layout, command)
                end += tensor.rows * config.width
        check_memory_bytes(end)
        fields = {
            "magic": MAGIC,
            "version": VERSION,
            "digest": int(config.digest(), 16),
            "rows": (self._size - self._record_bytes) // config.width,
        }
        header = pack_record(config, HEADER, fields)
        data = b"".join([header, *self._sealed(checksum(header))])
        return Image(
            config,
            np.frombuffer(data, np.uint8),
            tuple(self._commands),
            tuple(stored),
            end,
            tuple(inputs),
        )

    def _sealed(self, before: int) -> list[bytes]:
        """The parts, with the checksum in HALT, the last one; `before`: that of the header."""
        *parts, halt, _ = self._parts
        for index, part in enumerate(parts):
            if index not in self._from_host:
                before = checksum(part, before)
        return [*parts, sealed(halt, before)]

    def _append(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        check_memory_bytes(self._size)


def pack_rows(config: AcceleratorConfig, rows: Tensor) -> bytes:
    """(n, d) int8 values as n rows of `width` bytes; missing channels are 0.

    Raises UserError for values beyond int8.
    """
    packed = np.zeros((rows.shape[0], config.width), np.int8)
    packed[:, : rows.shape[1]] = _int8("rows", rows)
    return packed.tobytes()


def pack_mask(config: AcceleratorConfig, mask: Tensor) -> bytes:
    """(n, n) kept entries, `mask_bytes` a query; bit j of a row is key j."""
    bits = np.packbits(mask.numpy(), axis=1, bitorder="little")
    packed = np.zeros((len(bits), config.mask_bytes), np.uint8)
    packed[:, : bits.shape[1]] = bits
    return packed.tobytes()


def _int8(name: str, values: Tensor) -> np.ndarray:
    """`values` in a byte each."""
    array = values.to("cpu").numpy()
    packed = array.astype(np.int8)
    if not np.array_equal(packed, array):
        raise UserError(
            f"{name} hold {array.min()} to {array.max()}: expected whole numbers from -128 to 127"
        )
    return packed
