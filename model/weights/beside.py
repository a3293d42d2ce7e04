"""What JSON files beside weights say of them, as Hugging Face's hub keeps them there.

timm's config.json names the architecture and the preprocessing. That of transformers describes the
network, its preprocessor_config.json the preprocessing, in the words of `ViTImageProcessor` and
`DeiTImageProcessor`: a picture is resized to a size whatever its aspect, or by its shorter side,
then cropped in the middle.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, BeforeValidator, Field, model_validator
from timm.models.vision_transformer import VisionTransformer
from torch.nn import functional

from model.data.preprocessing import WHITE, Preprocessing

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"

_MODEL_TYPES = ("vit", "deit")
"""Of config.json, where it describes a plain Vision Transformer."""

_RESAMPLING = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""By Pillow's numbers."""

_BILINEAR, _BICUBIC = 2, 3

_ACTIVATIONS = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_fast": lambda x: functional.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.silu,
}
"""By the names of transformers."""


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object, empty if there is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _sides(size: Any) -> Any:
    """Rows and columns of a size in the words of transformers."""
    if isinstance(size, Mapping):
        return size.get("height"), size.get("width")
    return (size, size) if isinstance(size, int) else size


_Side = Annotated[int, Field(gt=0)]
_Size = Annotated[tuple[_Side, _Side], BeforeValidator(_sides)]


class _Processor(BaseModel):
    """The entries of preprocessor_config.json; older files leave out what was ever the same."""

    image_mean: list[float] = Field(min_length=3, max_length=3)
    image_std: list[float] = Field(min_length=3, max_length=3)
    do_normalize: bool = True
    do_rescale: bool = True
    do_resize: bool = True
    rescale_factor: float = 1 / WHITE
    resample: Annotated[int, Field(ge=0, lt=len(_RESAMPLING))]
    shortest_edge: _Side | None = None
    size: _Size
    crop_size: _Size
    do_center_crop: bool = False

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        kind = values.get("image_processor_type") or values.get("feature_extractor_type") or ""
        size = values.get("size")
        shortest = size.get("shortest_edge") if isinstance(size, Mapping) else None
        cropped = values.get("do_center_crop", "crop_size" in values)
        found = {
            "resample": _BICUBIC if str(kind).startswith("DeiT") else _BILINEAR,
            **{key: value for key, value in values.items() if value is not None},
            "shortest_edge": shortest,
            "size": size if shortest is None else shortest,
            "do_center_crop": cropped,
        }
        found["crop_size"] = values.get("crop_size") if cropped else found["size"]
        return found

    @model_validator(mode="after")
    def _check(self) -> "_Processor":
        if not self.do_resize or not self.do_rescale:
            raise ValueError("pictures that are not resized or not rescaled are not supported")
        if not math.isclose(self.rescale_factor, 1 / WHITE, rel_tol=1e-6):
            raise ValueError(f"rescale_factor is {self.rescale_factor:g}: expected 1 / {WHITE}")
        rows, columns = (crop / side for crop, side in zip(self.crop_size, self.size, strict=True))
        if rows != columns:
            raise ValueError("rows and columns are cropped by different factors")
        if self.shortest_edge is not None and not self.do_center_crop:
            raise ValueError("pictures of any aspect are not supported: expected do_center_crop")
        return self


def of_processor(settings: Mapping[str, Any]) -> tuple[Preprocessing, tuple[int, int]]:
    """The preprocessing that preprocessor_config.json says, and rows and columns of the picture.

    Raises:
        ValidationError: entries that are missing or invalid, or that timm's transforms have no
            words for.
    """
    found = _Processor.model_validate(dict(settings))
    preprocessing = Preprocessing(
        mean=tuple(found.image_mean) if found.do_normalize else (0, 0, 0),
        std=tuple(found.image_std) if found.do_normalize else (1, 1, 1),
        crop_pct=_crop_pct(found.crop_size[0], found.size[0]),
        crop_mode="squash" if found.shortest_edge is None else "center",
        interpolation=_RESAMPLING[found.resample],
    )
    return preprocessing, found.crop_size


def _crop_pct(crop: int, side: int) -> float:
    """The part that timm, which rounds crop / part down, resizes to `side`."""
    part = crop / side
    while math.floor(crop / part) < side:
        part = math.nextafter(part, 0)
    return part


def norm_epsilon(config: Mapping[str, Any]) -> float | None:
    """What transformers' LayerNorms add to the variance, or None; timm's add 1e-6."""
    found = config.get("layer_norm_eps") if config.get("model_type") in _MODEL_TYPES else None
    return found if isinstance(found, float) and 0 < found < 1 else None


def contradiction(
    config: Mapping[str, Any], model: VisionTransformer, *, resized: bool
) -> str | None:
    """What a config.json of transformers says of a network that a timm model is not, or None.

    Heads and activation leave no trace in the shapes of tensors. The size of pictures counts unless
    the model was resized.
    """
    if config.get("model_type") not in _MODEL_TYPES:
        return None
    block = model.blocks[0]
    for name, expected in (
        ("hidden_size", model.embed_dim),
        ("num_hidden_layers", len(model.blocks)),
        ("num_attention_heads", block.attn.num_heads),
        ("intermediate_size", block.mlp.fc1.out_features),
        ("patch_size", model.patch_embed.patch_size),
        *(() if resized else (("image_size", model.patch_embed.img_size),)),
    ):
        found = config.get(name, expected)
        pair = tuple(found) if isinstance(found, list) else found
        sides = (pair, pair) if isinstance(expected, tuple) and isinstance(pair, int) else pair
        if sides != expected:
            shown = expected[0] if isinstance(found, int) and sides != pair else expected
            return f"{name} = {found}, expected {shown}"
    activation = config.get("hidden_act", "gelu")
    values = torch.linspace(-6, 6, 97, device="cpu")
    function = _ACTIVATIONS.get(activation) if isinstance(activation, str) else None
    if function is None or not torch.allclose(block.mlp.act(values), function(values), atol=1e-6):
        return f"hidden_act = {activation}, expected {type(block.mlp.act).__name__}"
    return None
