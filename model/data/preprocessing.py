"""How a picture becomes the numbers that a network was trained on: it belongs to the weights.

A timm model carries it in its `pretrained_cfg`, from where timm's transforms take it. Users state
it by the name of a timm model, by what differs from it, or as a whole:

    vit_tiny_patch16_224
    vit_tiny_patch16_224+crop_pct=1.0
    mean=0.5+std=0.25,0.25,0.3+crop_pct=1.0+interpolation=bilinear
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from timm import get_pretrained_cfg
from timm.data import resolve_data_config, resolve_model_data_config
from torch import Tensor, nn

from model.files.changes import split_changes, validated
from model.files.yaml_file import StrictModel, first_message
from rtl_gen.errors import UserError

WHITE = 255
"""The largest value of a pixel."""

COLOURS = 3
"""Of a picture."""

_Mean = Annotated[float, Field(ge=0, le=1)]
_Deviation = Annotated[float, Field(gt=0)]


def picture_settings(model: nn.Module) -> dict[str, Any]:
    """timm's settings of a model's pictures, whose size is the one that the model was made for."""
    settings = resolve_model_data_config(model)
    size = getattr(getattr(model, "patch_embed", None), "img_size", None)
    return settings if size is None else settings | {"input_size": (COLOURS, *size)}


class Preprocessing(BaseModel):
    """Resizing, cropping and normalisation in timm's words; equal ones give equal numbers.

    mean, std: of each colour, of pixels from 0 to 1
    crop_pct: side of the crop over that of the resized picture
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    mean: tuple[_Mean, _Mean, _Mean]
    std: tuple[_Deviation, _Deviation, _Deviation]
    crop_pct: Annotated[float, Field(gt=0, le=1)]
    crop_mode: Literal["center", "squash", "border"] = "center"
    interpolation: Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"]

    @classmethod
    def of(cls, model: nn.Module) -> "Preprocessing":
        """That of a model's weights."""
        return cls.model_validate(picture_settings(model))

    @classmethod
    def named(cls, name: str) -> "Preprocessing":
        """That of timm's pretrained weights of a name, with or without a tag.

        Raises:
            UserError: timm has no such weights.
        """
        try:
            config = get_pretrained_cfg(name)
        except RuntimeError:
            config = None
        if config is None:
            raise UserError(
                f"preprocessing {name!r}: expected the name of a timm model, such as "
                "vit_tiny_patch16_224"
            )
        return cls.model_validate(resolve_data_config(pretrained_cfg=config.to_dict()))

    @classmethod
    def stated(cls, text: str) -> "Preprocessing":
        """What a user states; see the module.

        Raises:
            UserError: a name that timm does not have, or entries that are missing or invalid.
        """
        name, values = split_changes(text, "preprocessing")
        choices = validated(PreprocessingChoices, values, f"preprocessing {text!r}")
        return choices.applied_to(cls.named(name) if name else None, f"preprocessing {text!r}")

    def apply_to(self, model: nn.Module) -> None:
        """Make it that of a model's weights."""
        model.pretrained_cfg = {**(model.pretrained_cfg or {}), **self.model_dump()}

    def pixels(self, images: Tensor) -> Tensor:
        """Pixels 0 to 255, in float, of normalised images (b, 3, h, w)."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return ((images * std + mean) * WHITE).round()

    def as_json(self) -> dict[str, Any]:
        """What files hold of it; `Preprocessing.model_validate` reads it again."""
        return self.model_dump(mode="json")

    def __str__(self) -> str:
        mean, std = (" ".join(f"{value:g}" for value in each) for each in (self.mean, self.std))
        crop = "" if self.crop_mode == "center" else f" {self.crop_mode}"
        return f"mean {mean}, std {std}, crop {self.crop_pct:g}{crop}, {self.interpolation}"


def _for_each_colour(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,) * COLOURS


_Colours = Annotated[
    tuple[float, float, float], Field(strict=False), BeforeValidator(_for_each_colour)
]


class PreprocessingChoices(StrictModel):
    """Entries of a `Preprocessing` that a user states; a single number is that of each colour."""

    mean: _Colours | None = None
    std: _Colours | None = None
    crop_pct: Annotated[float, Field(strict=False)] | None = None
    crop_mode: str | None = None
    interpolation: str | None = None

    def given(self) -> Mapping[str, Any]:
        """Those that were stated."""
        entries = ((name, getattr(self, name)) for name in PreprocessingChoices.model_fields)
        return {name: value for name, value in entries if value is not None}

    def applied_to(self, base: Preprocessing | None, place: str) -> Preprocessing:
        """What differs from `base`; without one, mean and deviation are needed.

        Raises:
            UserError: entries that are missing or invalid, at `place`.
        """
        given = self.given()
        if base is None and not {"mean", "std"} <= given.keys():
            raise UserError(
                f"{place}: expected mean and std, or the name of a timm model such as "
                "vit_tiny_patch16_224"
            )
        known = resolve_data_config(pretrained_cfg=given) if base is None else base.model_dump()
        try:
            return Preprocessing.model_validate(known | given)
        except ValidationError as error:
            entry = error.errors()[0]["loc"][0]
            raise UserError(f"{place}: {entry}: {first_message(error)}") from error
