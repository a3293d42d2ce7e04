"""Names of Hugging Face's `ViTForImageClassification` and `DeiTForImageClassification`, as timm's.

Values stay as they are: timm holds a layer's query, key and value side by side in one tensor.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_PREFIX = re.compile(r"^(vit|deit)\.")

_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")

_NAMES = (
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.distillation_token", "dist_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    (".attention.output.dense", ".attn.proj"),
    (".intermediate.dense", ".mlp.fc1"),
    (".output.dense", ".mlp.fc2"),
    (".layernorm_before", ".norm1"),
    (".layernorm_after", ".norm2"),
    ("layernorm", "norm"),
    ("cls_classifier", "head"),
    ("distillation_classifier", "head_dist"),
    ("classifier", "head"),
)
"""The first part of a name that is found is replaced."""

_PROJECTIONS = ("query", "key", "value")


def is_hugging_face(state: Mapping[str, Tensor]) -> bool:
    """Whether tensors bear Hugging Face's names."""
    return any(_PREFIX.match(name) for name in state)


def to_timm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under timm's names; a name that timm has no place for stays as it is.

    Query, key and value that differ in shape, or of which one is absent, are left out.
    """
    renamed, parts = {}, {}
    for name, value in state.items():
        short = _LAYER.sub(r"blocks.\1.", _PREFIX.sub("", name))
        match = re.fullmatch(r"(.*)\.attention\.attention\.(query|key|value)\.(\w+)", short)
        if match:
            layer, projection, kind = match.groups()
            parts.setdefault(f"{layer}.attn.qkv.{kind}", {})[projection] = value
        else:
            renamed[_rename(short)] = value
    for name, projections in parts.items():
        tensors = [projections[part] for part in _PROJECTIONS if part in projections]
        if len(tensors) == len(_PROJECTIONS) and len({tensor.shape for tensor in tensors}) == 1:
            renamed[name] = torch.cat(tensors)
    return renamed


def _rename(name: str) -> str:
    for theirs, ours in _NAMES:
        if theirs in name:
            return name.replace(theirs, ours)
    return name
