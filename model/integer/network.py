"""Parameters of a network in integers: everything that the hardware is given, and its file format.

The arithmetic that they belong to is in docs/arithmetic.md, section "Whole network". D channels a
token, H heads, n tokens, K inputs and M outputs of a linear layer.

File format: safetensors (no pickles) with the tensors under the names of the fields below, a
`Scale` as two integers; the header holds the format's version, the shape of the network, the steps
of residual stream and logits, the preprocessing of pictures, free metadata, and a SHA-256 over all
of that.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from model.data.preprocessing import Preprocessing
from model.integer.attention import HeadScales
from model.network.shape import Network
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file
from rtl_gen.numerics import MULTIPLIER_BITS, NORM_CHANNEL_SHIFT_BITS, SHIFT_BITS, Scale

FORMAT_VERSION = 4
HEADER = "integer_network"
"""Key of the file's only metadata entry: with several, safetensors would order them at random."""

ACC_BITS = 32
"""Accumulator of a linear layer: signed."""


@dataclass(frozen=True)
class Linear:
    """y_m = saturate(round_shift((bias_m + sum_k weight_mk a_k) * multiplier_m, shift_m)).

    Raises ValueError for numbers outside the formats, or if an accumulator could overflow.
    """

    weight: Tensor  # (M, K) int8
    bias: Tensor  # (M,) int32
    multiplier: Tensor  # (M,) int32, in [2^15, 2^16)
    shift: Tensor  # (M,) uint8, 1 to 63

    def __post_init__(self):
        _check_dtypes(self, weight=torch.int8, bias=torch.int32, multiplier=torch.int32)
        _check_dtypes(self, shift=torch.uint8)
        _check_range(
            "multiplier", self.multiplier, 1 << (MULTIPLIER_BITS - 1), 1 << MULTIPLIER_BITS
        )
        _check_range("shift", self.shift, 1, 1 << SHIFT_BITS)
        largest = self.weight.long().abs().sum(dim=1) * 128 + self.bias.long().abs()
        _check_range("accumulator", largest, 0, 1 << (ACC_BITS - 1))

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    def rows(self, first: int, count: int) -> "Linear":
        """The layer with `count` of its outputs, from `first` on."""
        part = slice(first, first + count)
        return Linear(*(getattr(self, f.name)[part] for f in dataclasses.fields(self)))


@dataclass(frozen=True)
class Norm:
    """LayerNorm without gain and offset, which belong to the next layer's weights and bias."""

    scale: Scale
    """D / (16 * step): the factor from centred residuals over root to outputs."""
    channel_shift: Tensor  # (D,) uint8, 0 to 7: channel c has the step 2^channel_shift_c * step

    def __post_init__(self):
        _check_dtypes(self, channel_shift=torch.uint8)
        _check_range("channel_shift", self.channel_shift, 0, 1 << NORM_CHANNEL_SHIFT_BITS)


@dataclass(frozen=True)
class Layer:
    """One encoder layer."""

    norm1: Norm
    qkv: Linear
    """D -> 3 D; outputs in the hardware's order: for each head its q, then its k, then its v."""
    heads: tuple[HeadScales, ...]
    projection: Linear
    norm2: Norm
    ffn1: Linear
    nonlinearity: Tensor  # (256,) int8, the value for h at h + 128
    ffn2: Linear

    def __post_init__(self):
        _check_dtypes(self, nonlinearity=torch.int8)


@dataclass(frozen=True)
class Renormalisation:
    """A LayerNorm whose outputs become the residual stream."""

    norm: Norm
    linear: Linear  # D -> D: gain and offset


@dataclass(frozen=True)
class Parameters:
    """All integers of a network."""

    initial: Tensor  # (n, D) int16: what X holds before the patch embedding adds to it
    patch: Linear  # bias 0: it is part of `initial`
    layers: tuple[Layer, ...]
    norm: Norm  # of what the classifier is given; of a network without one, its rounding to int8
    classifier: Linear
    """Of all channels that are read out; without classes, what makes features of them."""
    pre_norm: Renormalisation | None = None
    """In front of the layers."""
    mean: Renormalisation | None = None
    """Of the tokens that a mean is made of, if they are normalised before it."""

    def __post_init__(self):
        _check_dtypes(self, initial=torch.int16)


@dataclass(frozen=True)
class IntegerNetwork:
    """A network's shape, its integers, and what its results mean in float."""

    shape: Network
    parameters: Parameters
    residual_step: float = 1.0
    logit_step: float = 1.0
    preprocessing: Preprocessing | None = None
    """Of the pictures that it was calibrated with; a random network has none."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Where the network comes from: anything that JSON holds."""

    def tensors(self) -> dict[str, Tensor]:
        """All parameters by name, e.g. `layers.0.qkv.weight`."""
        return dict(_flatten("", self.parameters))

    def header(self) -> dict[str, Any]:
        return {
            "version": FORMAT_VERSION,
            "shape": self.shape.as_json(),
            "residual_step": self.residual_step,
            "logit_step": self.logit_step,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.as_json(),
            "metadata": dict(self.metadata),
        }

    def digest(self) -> str:
        """SHA-256 over header and tensors."""
        return _digest(self.header(), self.tensors())

    def to_bytes(self) -> bytes:
        """The network as a file; the same network gives the same bytes."""
        header = json.dumps(self.header() | {"sha256": self.digest()}, sort_keys=True)
        return safetensors.torch.save(self.tensors(), {HEADER: header})

    def save(self, path: Path) -> None:
        with replace_file(path) as file:
            file.write(self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> "IntegerNetwork":
        """Read what `save` wrote.

        Raises:
            UserError: no such file, another kind or version of file, or a damaged one.
        """
        if not path.is_file():
            raise UserError(f"no integer network {path}: make one with `sparse-vit quantise`")
        expected = "expected a file written by `sparse-vit quantise`"
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                contents = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, safetensors.SafetensorError) as error:
            raise UserError(
                f"integer network {path} is unreadable ({error}): {expected}"
            ) from error
        if HEADER not in contents:
            raise UserError(f"{path} is no integer network: {expected}")
        try:
            header = json.loads(contents[HEADER])
            sha256, version = header.pop("sha256"), header["version"]
            if version != FORMAT_VERSION:
                raise UserError(
                    f"integer network {path} has format version {version}: expected "
                    f"{FORMAT_VERSION}, calibrate it again"
                )
            if sha256 != _digest(header, tensors):
                raise UserError(f"integer network {path} is damaged: its SHA-256 does not fit")
            return cls._of(header, tensors)
        except UserError:
            raise
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
            RecursionError,
        ) as error:
            raise UserError(
                f"integer network {path} is damaged: its header holds other values, {expected}"
            ) from error

    @classmethod
    def _of(cls, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "IntegerNetwork":
        preprocessing = header["preprocessing"]
        return cls(
            shape=Network.from_json(header["shape"]),
            parameters=_restore("", Parameters, tensors),
            residual_step=header["residual_step"],
            logit_step=header["logit_step"],
            preprocessing=preprocessing and Preprocessing.model_validate(preprocessing),
            metadata=header["metadata"],
        )


def _flatten(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value.contiguous()
    elif isinstance(value, Scale):
        yield name, torch.tensor(value, dtype=torch.int32)
    elif value is None:
        return
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _flatten(f"{name}.{index}", item)
    else:
        for item in dataclasses.fields(value):
            yield from _flatten(f"{name}.{item.name}".lstrip("."), getattr(value, item.name))


def _restore(name: str, kind: Any, tensors: Mapping[str, Tensor]) -> Any:
    if kind is Tensor:
        return tensors[name]
    if kind is Scale:
        return Scale(*tensors[name].tolist())
    if get_origin(kind) is UnionType:
        there = any(key.startswith(f"{name}.") for key in tensors)
        return _restore(name, get_args(kind)[0], tensors) if there else None
    if get_origin(kind) is tuple:
        indices = {
            int(key[len(name) + 1 :].split(".")[0]) for key in tensors if key.startswith(name)
        }
        return tuple(_restore(f"{name}.{i}", get_args(kind)[0], tensors) for i in sorted(indices))
    hints = get_type_hints(kind)
    return kind(
        *(
            _restore(f"{name}.{item.name}".lstrip("."), hints[item.name], tensors)
            for item in dataclasses.fields(kind)
        )
    )


def _digest(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _check_dtypes(owner: Any, **dtypes: torch.dtype) -> None:
    for name, dtype in dtypes.items():
        if getattr(owner, name).dtype != dtype:
            raise ValueError(f"{name} has dtype {getattr(owner, name).dtype}, expected {dtype}")


def _check_range(name: str, tensor: Tensor, low: int, high: int) -> None:
    if tensor.numel() and not (low <= tensor.min() and tensor.max() < high):
        raise ValueError(f"{name} from {tensor.min()} to {tensor.max()}, expected [{low}, {high})")
