"""Strategies that damage the weights of a network."""

import io
from argparse import Namespace
from collections import OrderedDict

import numpy as np
import safetensors.torch
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from cocotb_tests.fuzz import samples
from cocotb_tests.fuzz.damage import Damaged, cut_up, nodes

_FATAL = ("lost", "renamed", "added", "shape", "nan", "inf", "whole numbers")
"""Labels of tensors that are no network's."""

_NO_STATES = {
    "list": [torch.zeros(3)],
    "tensor": torch.zeros(3),
    "number": 3,
    "text": "weights",
    "nothing": None,
    "numbered": {1: torch.zeros(3)},
    "whole module": nn.Linear(2, 2),
    "array": np.zeros(3),
    "empty": {},
}
"""What torch.save writes beside states."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float64)
_WHOLE = (torch.int8, torch.int64, torch.bool)


@st.composite
def states(draw: st.DrawFn) -> Damaged:
    """Damaged weights, as safetensors or by torch.save."""
    kind = draw(st.sampled_from(["bytes", "tensors", "tensors", "pickled", "header", "node"]))
    if kind == "bytes":
        return draw(cut_up(samples.weights()))
    if kind == "node":
        return draw(nodes())
    if kind == "header":
        size = draw(st.sampled_from([0, 1, 10**9, 2**63, 2**64 - 1]))
        data = size.to_bytes(8, "little") + samples.weights()[8:]
        return Damaged(f"header of {size}", data, fatal=True)
    label, tensors = draw(_tensors())
    fatal = label.startswith(_FATAL)
    if kind == "tensors":
        return Damaged(label, safetensors.torch.save(tensors), fatal)
    states = {
        "a state": tensors,
        "ordered": OrderedDict(tensors),
        "model": {"model": tensors, "args": Namespace(lr=1), "epoch": 3},
        "model_ema": {"model_ema": tensors},
        "state_dict": {"state_dict": tensors},
        "module.": {f"module.{name}": tensor for name, tensor in tensors.items()},
        **_NO_STATES,
    }
    name = draw(st.sampled_from(sorted(states)))
    file = io.BytesIO()
    old = draw(st.booleans())
    torch.save(states[name], file, _use_new_zipfile_serialization=not old)
    data = file.getvalue()
    if draw(st.integers(0, 3)) == 0:
        cut, data, _ = draw(cut_up(data))
        return Damaged(f"{label}, {name}, {cut}", data)
    return Damaged(f"{label}, {name}", data, fatal or name in _NO_STATES)


@st.composite
def _tensors(draw: st.DrawFn) -> tuple[str, dict[str, Tensor]]:
    """The tensors, one of them otherwise."""
    tensors = dict(samples.weight_tensors())
    name = draw(st.sampled_from(sorted(tensors)))
    value = tensors[name]
    label = draw(st.sampled_from(["none", "one float", "all floats", "none", "huge", *_FATAL]))
    if label == "lost":
        del tensors[name]
    elif label == "renamed":
        tensors[f"x.{name}"] = tensors.pop(name)
    elif label == "added":
        tensors["dist_token"] = torch.zeros(1, 1, 48)
    elif label == "shape":
        tensors[name] = value.flatten()[: draw(st.integers(0, 3))].clone()
    elif label in ("nan", "inf", "huge"):
        tensors[name] = value.clone()
        fill = {"nan": torch.nan, "inf": torch.inf, "huge": 3e38}[label]
        tensors[name].view(-1)[draw(st.integers(0, value.numel() - 1))] = fill
    elif label == "one float":
        tensors[name] = value.to(draw(st.sampled_from(_FLOATS)))
    elif label == "whole numbers":
        tensors[name] = value.to(draw(st.sampled_from(_WHOLE)))
    elif label == "all floats":
        kind = draw(st.sampled_from(_FLOATS))
        tensors = {key: tensor.to(kind) for key, tensor in tensors.items()}
    return f"{label} {name}", tensors
