"""Files of weights: their tensors by name, and what they say of themselves.

Understood are safetensors and whatever `torch.load` reads without running code of the file: state
dicts alone or under a key (`model`, as DeiT's own training script writes them, `state_dict`,
`model_ema`, `state_dict_ema`, the first of these), with or without the prefixes of
`DistributedDataParallel` and `torch.compile`, under timm's or Hugging Face's names.

A file says which timm model it holds, or how its pictures are normalised, by

* its header, if this project wrote it: `as_bytes`;
* `architecture`, `arch`, `model_name` or `model` in the header of a safetensors file;
* `arch` of a checkpoint, or `model` in its `args`;
* `architecture` and `pretrained_cfg` in a config.json beside it, as on Hugging Face's hub;
* its name.
"""

import argparse
import json
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from model.finite import check_finite
from model.network import Network
from model.networks import registered, timm_name
from model.preprocessing import Preprocessing
from model.weights.hugging_face import is_hugging_face, to_timm
from rtl_gen.errors import UserError

HEADER = "weights"
"""One metadata entry: several would stand in a random order."""

PREPROCESSING = "preprocessing"
"""Its place in the header."""

FLOATS = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})
"""Types of weights; each becomes float32."""

_STATES = ("model", "state_dict", "model_ema", "state_dict_ema")
_PREFIXES = re.compile(r"^(_orig_mod\.|module\.)+")
_ARCHITECTURES = ("architecture", "arch", "model_name", "model")
_HASH = re.compile(r"-[0-9a-f]{8,}$")
"""What PyTorch's hub appends to names."""

_EXPECTED = "expected safetensors, or tensors by name from torch.save(model.state_dict(), FILE)"


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a file of weights.

    tensors: by timm's names, finite, float32
    says: what it says of itself, see the module; the most certain first
    """

    tensors: dict[str, Tensor]
    says: tuple["Statement", ...]


@dataclass(frozen=True)
class Statement:
    """What tells the preprocessing of weights, and where it is told."""

    place: str
    preprocessing: Preprocessing


def as_bytes(model: nn.Module, **origin: Any) -> bytes:
    """A model's weights as a safetensors file that says their preprocessing and JSON `origin`."""
    header = {PREPROCESSING: Preprocessing.of(model).as_json(), **origin}
    return safetensors.torch.save(model.state_dict(), {HEADER: json.dumps(header, sort_keys=True)})


def read_weights(path: Path, network: Network) -> Checkpoint:
    """The tensors of a file, and what it says of itself as weights of a network.

    Raises:
        UserError: no such file, an unreadable one, or tensors that are no weights.
    """
    if not path.is_file():
        raise UserError(f"no weights file {path}: name an existing file")
    state, names, own = _read(path)
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"weights file {path} holds more or less than tensors: {_EXPECTED}")
    tensors = {
        _PREFIXES.sub("", name): _as_float32(path, name, value) for name, value in state.items()
    }
    if is_hugging_face(tensors):
        tensors = to_timm(tensors)
    return Checkpoint(tensors, tuple(_statements(path, network, names, own)))


def _read(path: Path) -> tuple[dict[str, Any], list[Any], Any]:
    """Named values, names of the architecture, and the header's preprocessing or None."""
    try:
        if path.suffix == ".safetensors":
            with safetensors.safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            own = json.loads(header.get(HEADER, "{}")).get(PREPROCESSING)
            return state, [header.get(key) for key in _ARCHITECTURES], own
        content = _unpickled(path)
    except Exception as error:
        # torch.load lets escape whatever its unpickler meets in a foreign file.
        raise UserError(
            f"weights file {path} is unreadable ({_reason(path, error)}): {_EXPECTED}"
        ) from error
    if not isinstance(content, Mapping):
        raise UserError(f"weights file {path} holds a {type(content).__name__}: {_EXPECTED}")
    arguments = content.get("args")
    arguments = vars(arguments) if isinstance(arguments, argparse.Namespace) else arguments
    names = [content.get("arch")]
    if isinstance(arguments, Mapping):
        names.append(arguments.get("model"))
    held = (content[key] for key in _STATES if isinstance(content.get(key), Mapping))
    state = next(held, content)
    return {str(name): value for name, value in state.items()}, names, None


def _unpickled(path: Path) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _reason(path: Path, error: Exception) -> str:
    """One line on a file that cannot be read."""
    if isinstance(error, LookupError):  # an unpickler lost in what is no pickle
        return "no tensors in it"
    if not isinstance(error, pickle.UnpicklingError):
        return first_line(error)
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001
        foreign = []
    return f"it holds objects of {', '.join(sorted(foreign))}" if foreign else "no tensors in it"


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


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


def _statements(path: Path, network: Network, names: list[Any], own: Any) -> Iterator[Statement]:
    known = registered(network)
    try:
        if own is not None:
            yield Statement("its header", Preprocessing.model_validate(own))
        for name in (name.rpartition("/")[2] for name in names if isinstance(name, str)):
            if name in known:
                yield Statement(f"its model {name}", known[name])
        config = _config(path.with_name("config.json"))
        architecture = config.get("architecture")
        if isinstance(architecture, str) and architecture in known:
            settings = config.get("pretrained_cfg")
            settings = settings if isinstance(settings, Mapping) else {}
            settings = {key: value for key, value in settings.items() if value is not None}
            yield Statement(
                "config.json beside it",
                Preprocessing.model_validate(known[architecture].as_json() | settings),
            )
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"weights file {path}: preprocessing in its header or config.json is invalid "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']})"
        ) from error
    stem = _HASH.sub("", path.stem)
    name = timm_name(network) if stem == network.name else stem
    if name in known:
        yield Statement("its name", known[name])


def _config(path: Path) -> dict[str, Any]:
    """A JSON object, empty if there is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
