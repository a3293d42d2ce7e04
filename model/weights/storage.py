"""What weights are kept in: one file, or several files of parts with an index of their tensors.

Understood are safetensors and whatever `torch.load` reads without running code of the file: state
dicts alone or under a key of any name, beside optimisers, arguments and whatever else training
writes. A folder stands for the weights that Hugging Face's libraries would take from it.
"""

import argparse
import hashlib
import json
import pathlib
import pickle
import types
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor

from rtl_gen.errors import InputWarning, UserError

EXPECTED = "expected safetensors, or tensors by name from torch.save(model.state_dict(), FILE)"

_IN_FOLDERS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""The first that a folder holds is taken."""

_INDEX = ".index.json"

_STATES = ("model", "state_dict", "model_ema", "state_dict_ema")
"""Keys of training files; of several states the first of these is taken."""

_HARMLESS = (
    argparse.Namespace,
    types.SimpleNamespace,
    pathlib.PosixPath,
    pathlib.PurePosixPath,
    np.dtype,
    np._core.multiarray.scalar,  # type: ignore[attr-defined]
    *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"),
)
"""What training files hold beside tensors, and what does nothing when it is unpickled."""

_BLOCK = 1 << 20
"""Bytes that are hashed at a time."""


@dataclass(frozen=True)
class Stored:
    """What weights are stored as, nothing of it changed.

    values: tensors, or what stands in their place, by name
    header: metadata of a safetensors file
    training: what a training file holds beside its tensors
    """

    values: dict[str, Any]
    header: Mapping[str, str]
    training: Mapping[str, Any]


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files that weights lie in; an index comes before its parts.

    Args:
        path: a file, an index of parts, or a folder with either under the name that Hugging Face's
            libraries give it.

    Raises:
        UserError: no such file, or an index that is none.
    """
    if path.is_dir():
        found = [path / name for name in _IN_FOLDERS if (path / name).is_file()]
        if not found:
            raise UserError(f"no weights file in {path}: expected {', '.join(_IN_FOLDERS)}")
        path = found[0]
    if not path.is_file():
        raise UserError(f"no weights file {path}: name an existing file")
    if not path.name.endswith(_INDEX):
        return (path,)
    parts = [path.with_name(name) for name in sorted(set(_places(path).values()))]
    for part in parts:
        if not part.is_file():
            raise UserError(f"weights index {path} names {part.name}, which is not beside it")
    return (path, *parts)


def weights_sha256(path: Path | None) -> str | None:
    """SHA-256 over the contents of all files of weights; None of none."""
    if path is None:
        return None
    digest = hashlib.sha256()
    for file in weight_files(path):
        with file.open("rb") as content:
            while block := content.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def read_stored(path: Path) -> Stored:
    """What lies in the files of weights.

    Raises:
        UserError: no such file, an unreadable one, or one that holds something else.
    """
    first, *parts = weight_files(path)
    if not parts:
        return _read(first)
    contents = {part.name: _read(part).values for part in parts}
    values = {}
    for name, place in _places(first).items():
        if name not in contents[place]:
            raise UserError(f"weights index {first} looks for tensor {name} in {place}: not there")
        values[name] = contents[place][name]
    return Stored(values, {}, {})


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _places(index: Path) -> dict[str, str]:
    """The name of the file beside an index that each tensor lies in."""
    expected = "expected tensors' names and files beside it under weight_map"
    try:
        places = json.loads(index.read_bytes())["weight_map"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UserError(f"weights index {index} is unreadable: {expected}") from error
    if not isinstance(places, dict) or not places:
        raise UserError(f"weights index {index} names no tensors: {expected}")
    for place in places.values():
        if not isinstance(place, str) or place != Path(place).name or place.endswith(_INDEX):
            raise UserError(f"weights index {index} names a file {place!r}: {expected}")
    return places


def _read(path: Path) -> Stored:
    if path.suffix == ".onnx":
        raise UserError(
            f"weights file {path} is ONNX, whose exporters transpose, merge and rename tensors: "
            "take the network that was exported, torch.save(model.state_dict(), FILE)"
        )
    try:
        if path.suffix == ".safetensors":
            with safetensors.safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Stored(state, header, {})
        content = _unpickled(path)
    except Exception as error:
        # torch.load lets escape whatever its unpickler meets in a foreign file.
        raise UserError(
            f"weights file {path} is unreadable ({_reason(path, error)}): {EXPECTED}"
        ) from error
    if not isinstance(content, Mapping):
        raise UserError(f"weights file {path} holds a {type(content).__name__}: {EXPECTED}")
    key = _state_of(path, content)
    tensors = content if key is None else content[key]
    training = {} if key is None else {name: content[name] for name in content if name != key}
    return Stored({str(name): value for name, value in tensors.items()}, {}, training)


def _state_of(path: Path, content: Mapping[Any, Any]) -> Any | None:
    """The key of a training file's state dict; None if the file is a state dict itself."""
    states = [key for key, value in content.items() if _is_state(value)]
    known = [key for key in _STATES if key in states]
    if len(states) > 1:
        names = " and ".join(map(str, states))
        if not known:
            raise UserError(
                f"weights file {path} holds {names}: save the state dict of one network alone"
            )
        warnings.warn(
            f"weights file {path} holds {names}: {known[0]} is taken, save another alone to use it",
            InputWarning,
            stacklevel=2,
        )
    return next(iter(known or states), None)


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(each, Tensor) for each in value.values())
    )


def _unpickled(path: Path) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals([*_HARMLESS]):
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _reason(path: Path, error: Exception) -> str:
    """One line on a file that cannot be read."""
    if isinstance(error, LookupError):  # an unpickler lost in what is no pickle
        return "no tensors in it"
    if not isinstance(error, pickle.UnpicklingError):
        return first_line(error)
    try:
        with torch.serialization.safe_globals([*_HARMLESS]):
            foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001
        foreign = []
    return f"it holds objects of {', '.join(sorted(foreign))}" if foreign else "no tensors in it"
