"""Files of weights: their tensors by timm's names, and what they say of themselves.

What a file may be is told in `model.weights.storage`, whose names its tensors may bear in
`model.weights.names` and `model.weights.hugging_face`.

A file says which timm model it holds, or how its pictures are normalised, by

* its header, if this project wrote it: `as_bytes`;
* `architecture`, `arch`, `model_name` or `model` in the header of a safetensors file;
* `arch` of a training file, or `model` in its `args`, with what else `args` says of pictures;
* `architecture` and `pretrained_cfg` in a config.json beside it, as timm writes it;
* preprocessor_config.json beside it, as transformers writes it;
* its name.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from model.data.preprocessing import Preprocessing
from model.files.finite import check_finite
from model.network.names import registered, timm_name
from model.network.shape import Network
from model.weights.beside import CONFIG, PROCESSOR, of_processor, read_config
from model.weights.hugging_face import is_hugging_face, to_timm
from model.weights.names import of_network
from model.weights.storage import EXPECTED, Stored, read_stored, weight_files
from rtl_gen.errors import UserError

HEADER = "weights"
"""One metadata entry: several would stand in a random order."""

PREPROCESSING = "preprocessing"
"""Its place in the header."""

FLOATS = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})
"""Types of weights; each becomes float32."""

_ARCHITECTURES = ("architecture", "arch", "model_name", "model")
_SETTINGS = ("mean", "std", "crop_pct", "crop_mode", "interpolation")
_HASH = re.compile(r"-[0-9a-f]{8,}$")
"""What PyTorch's hub appends to names."""


@dataclass(frozen=True)
class Statement:
    """What tells the preprocessing of weights, and where it is told.

    size: rows and columns of a picture, where they are told too
    """

    place: str
    preprocessing: Preprocessing
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a file of weights.

    tensors: by timm's names, finite, float32
    says: what it says of itself, see the module; the most certain first
    config: config.json beside it, empty if there is none
    """

    tensors: dict[str, Tensor]
    says: tuple[Statement, ...]
    config: Mapping[str, Any]


def as_bytes(model: nn.Module, **origin: Any) -> bytes:
    """A model's weights as a safetensors file that says their preprocessing and JSON `origin`."""
    header = {PREPROCESSING: Preprocessing.of(model).as_json(), **origin}
    return safetensors.torch.save(model.state_dict(), {HEADER: json.dumps(header, sort_keys=True)})


def read_weights(path: Path, network: Network) -> Checkpoint:
    """The tensors of a file, and what it says of itself as weights of a network.

    Raises:
        UserError: no such file, an unreadable one, or tensors that are no weights.
    """
    stored = read_stored(path)
    values = stored.values
    if not values or not all(isinstance(value, Tensor) for value in values.values()):
        raise UserError(f"weights file {path} holds more or less than tensors: {EXPECTED}")
    tensors = {
        name: _as_float32(path, name, value) for name, value in of_network(path, values).items()
    }
    if is_hugging_face(tensors):
        tensors = to_timm(tensors)
    file = weight_files(path)[0]
    try:
        says = tuple(_statements(file, network, stored))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its entries"
        raise UserError(
            f"weights file {path}: what it, {CONFIG} or {PROCESSOR} beside it says of "
            f"preprocessing is invalid ({place}: {first['msg']})"
        ) from error
    return Checkpoint(tensors, says, read_config(file.with_name(CONFIG)))


def _as_float32(path: Path, name: str, tensor: Tensor) -> Tensor:
    place = f"weights file {path}: tensor {name}"
    if tensor.dtype not in FLOATS or tensor.layout != torch.strided:
        kind = str(tensor.dtype).removeprefix("torch.")
        kind = kind if tensor.layout == torch.strided else f"sparse {kind}"
        raise UserError(
            f"{place} is {kind}: expected dense float32, float64, float16 or bfloat16 weights"
        )
    converted = tensor.detach().float()
    check_finite(place, converted, ": expected numbers, take an earlier checkpoint")
    return converted


def _statements(path: Path, network: Network, stored: Stored) -> Iterator[Statement]:
    known = registered(network)
    own = _own_header(path, stored)
    if own is not None:
        yield Statement("its header", Preprocessing.model_validate(own))
    arguments = stored.training.get("args")
    arguments = vars(arguments) if isinstance(arguments, argparse.Namespace) else arguments
    arguments = arguments if isinstance(arguments, Mapping) else {}
    names = [stored.header.get(key) for key in _ARCHITECTURES]
    names += [stored.training.get("arch"), arguments.get("model")]
    for name in (name.rpartition("/")[2] for name in names if isinstance(name, str)):
        if name in known:
            yield Statement(f"its model {name}", _changed(known[name], arguments))
    config = read_config(path.with_name(CONFIG))
    architecture = config.get("architecture")
    if isinstance(architecture, str) and architecture in known:
        settings = config.get("pretrained_cfg")
        settings = settings if isinstance(settings, Mapping) else {}
        yield Statement(f"{CONFIG} beside it", _changed(known[architecture], settings))
    processor = read_config(path.with_name(PROCESSOR))
    if processor:
        yield Statement(f"{PROCESSOR} beside it", *of_processor(processor))
    stem = _HASH.sub("", path.stem)
    name = timm_name(network) if stem == network.name else stem
    if name in known:
        yield Statement("its name", known[name])


def _own_header(path: Path, stored: Stored) -> Any | None:
    """The preprocessing in the header of a file that this project wrote."""
    try:
        return json.loads(stored.header.get(HEADER, "{}")).get(PREPROCESSING)
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(
            f"weights file {path} is unreadable (no JSON object in its header): {EXPECTED}"
        ) from error


def _changed(preprocessing: Preprocessing, settings: Mapping[str, Any]) -> Preprocessing:
    """Preprocessing with what settings in timm's words say of it."""
    told = {key: settings[key] for key in _SETTINGS if settings.get(key) not in (None, "")}
    return Preprocessing.model_validate(preprocessing.as_json() | told)
