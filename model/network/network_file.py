"""Networks of one's own: timm's keywords in a YAML file, or as changes of a name.

    # my_vit.yaml, for --model my_vit.yaml
    img_size: [192, 256]
    embed_dim: 192
    depth: 8
    num_heads: 6
    num_classes: 100
    global_pool: avg
    mean: [0.5, 0.5, 0.5]
    std: [0.5, 0.5, 0.5]

`model` names an architecture of timm that the keywords change, by default `plain_vit`, timm's
`VisionTransformer`. What a file says of preprocessing holds for all weights that are loaded with
it; it may leave out mean and std if `model` has some.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from model.data.preprocessing import PreprocessingChoices
from model.files.changes import validated
from model.files.yaml_file import StrictModel, read_model
from model.network.timm_model import PLAIN, TimmModel

SUFFIXES = (".yaml", ".yml")

LARGEST = 1 << 16
"""Of sizes and channels."""

MOST_LAYERS = 1 << 10


def _sides(value: Any) -> Any:
    """Rows and columns of 224, [192, 256] or 192x256."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,6}x\d{1,6}", value):
        value = [int(side) for side in value.split("x")]
    return tuple(value) if isinstance(value, list) else (value, value)


Count = Annotated[int, Field(ge=1, le=LARGEST)]
Sides = Annotated[tuple[Count, Count], BeforeValidator(_sides)]
Number = Annotated[float, Field(strict=False, gt=0, le=LARGEST, allow_inf_nan=False)]


class Keywords(StrictModel):
    """timm's keywords of a plain Vision Transformer; those that are left out are as they were."""

    img_size: Sides | None = None
    patch_size: Sides | None = None
    embed_dim: Count | None = None
    depth: Annotated[int, Field(ge=1, le=MOST_LAYERS)] | None = None
    num_heads: Count | None = None
    mlp_ratio: Number | None = None
    num_classes: Annotated[int, Field(ge=0, le=1 << 20)] | None = None
    class_token: bool | None = None
    reg_tokens: Annotated[int, Field(ge=0, le=LARGEST)] | None = None
    no_embed_class: bool | None = None
    pos_embed: Literal["learn", "none"] | None = None
    global_pool: Literal["token", "avg"] | None = None
    pool_include_prefix: bool | None = None
    fc_norm: bool | None = None
    final_norm: bool | None = None
    pre_norm: bool | None = None
    qkv_bias: bool | None = None
    proj_bias: bool | None = None
    init_values: Number | None = None
    act_layer: Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "silu"] | None = None

    def changes(self) -> tuple[tuple[str, Any], ...]:
        """Those that were given, by name."""
        given = ((key, getattr(self, key)) for key in sorted(Keywords.model_fields))
        return tuple((key, value) for key, value in given if value is not None)


class NetworkFile(PreprocessingChoices, Keywords):
    """A file of one network."""

    model: str = PLAIN
    """An architecture of timm."""


def read_network_file(path: Path) -> TimmModel:
    """What timm makes of a file.

    Raises:
        UserError: no such file, or one of another kind.
    """
    content = read_model(path, NetworkFile)
    own = TimmModel(name=content.model)
    if not own.exists:
        assert content.source is not None
        raise content.source.error_at(
            f"timm has no {content.model!r}: expected an architecture of timm, or {PLAIN}",
            ("model",),
        )
    preprocessing = own.own_preprocessing()
    if content.given():
        preprocessing = content.applied_to(preprocessing, str(path))
    return replace(own, changes=content.changes(), preprocessing=preprocessing)


def with_changes(name: str, values: dict[str, Any], spec: str) -> TimmModel:
    """An architecture of timm with changes; `spec` is what the user wrote.

    Raises:
        UserError: a keyword that there is not, or a value that it cannot have.
    """
    keywords = validated(Keywords, values, f"network {spec!r}")
    return TimmModel(name=name, changes=keywords.changes())
