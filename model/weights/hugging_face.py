"""Names of Hugging Face's ViT and DeiT, as timm's.

`ViTModel` and `DeiTModel`, alone or in `ViTForImageClassification`, `DeiTForImageClassification`
and `DeiTForImageClassificationWithTeacher`, by the names of their files and by those that
transformers 5 has in memory. Values stay as they are: timm holds a layer's query, key and value
side by side in one tensor.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_MODEL = re.compile(r"^((vit|deit)\.)?")
_EMBEDDINGS = re.compile(r"((vit|deit)\.)?embeddings\..*")

_NAMES = tuple(
    (re.compile(rf"(?<![^.]){theirs}(?![^.])"), ours)
    for theirs, ours in (
        (r"embeddings\.cls_token", "cls_token"),
        (r"embeddings\.distillation_token", "dist_token"),
        (r"embeddings\.position_embeddings", "pos_embed"),
        (r"embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
        (r"(?:encoder\.layer|layers)\.(\d+)", r"blocks.\1"),
        (r"attention\.(?:output\.dense|o_proj)", "attn.proj"),
        (r"(?:intermediate\.dense|mlp\.fc1)", "mlp.fc1"),
        (r"(?:output\.dense|mlp\.fc2)", "mlp.fc2"),
        (r"layernorm_before", "norm1"),
        (r"layernorm_after", "norm2"),
        (r"layernorm", "norm"),
        (r"distillation_classifier", "head_dist"),
        (r"(?:cls_)?classifier", "head"),
    )
)
"""Each is replaced where it stands alone between dots, the first ones first."""

_PROJECTION = re.compile(
    r"(?P<layer>.*?)\.attention\.(attention\.)?(?P<part>query|key|value|[qkv]_proj)\.(?P<kind>\w+)"
)
_PARTS = "qkv"


def is_hugging_face(state: Mapping[str, Tensor]) -> bool:
    """Whether tensors bear Hugging Face's names."""
    return any(_EMBEDDINGS.fullmatch(name) or name.startswith(("vit.", "deit.")) for name in state)


def to_timm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under timm's names; a name that timm has no place for stays as it is.

    Query, key and value that differ in shape, or of which one is absent, are left out.

    `DeiTForImageClassification` classifies by the class token alone and has a distillation token
    nevertheless. timm gives the mean of two classifiers: the same logits come from twice the first
    one, which is exact, and nothing from the second.
    """
    renamed: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        short = _rename(_MODEL.sub("", name))
        match = _PROJECTION.fullmatch(short)
        if match:
            place = f"{match['layer']}.attn.qkv.{match['kind']}"
            parts.setdefault(place, {})[match["part"][0]] = value
        else:
            renamed[short] = value
    for name, found in parts.items():
        tensors = [found[part] for part in _PARTS if part in found]
        if len(tensors) == len(_PARTS) and len({tensor.shape for tensor in tensors}) == 1:
            renamed[name] = torch.cat(tensors)
    if "dist_token" in renamed and not any(name.startswith("head_dist.") for name in renamed):
        for name in [name for name in renamed if name.startswith("head.")]:
            renamed[name.replace("head", "head_dist")] = torch.zeros_like(renamed[name])
            renamed[name] = 2 * renamed[name]
    return renamed


def _rename(name: str) -> str:
    for theirs, ours in _NAMES:
        name = theirs.sub(ours, name, count=1)
    return name
