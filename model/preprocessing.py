"""How a picture becomes the numbers that a network was trained on: it belongs to the weights.

A timm model carries it in its `pretrained_cfg`, from where timm's transforms take it.
"""

from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from timm import get_pretrained_cfg
from timm.data import resolve_data_config, resolve_model_data_config
from torch import Tensor, nn

from rtl_gen.errors import UserError

WHITE = 255
"""The largest value of a pixel."""

_Mean = Annotated[float, Field(ge=0, le=1)]
_Deviation = Annotated[float, Field(gt=0)]


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
        return cls.model_validate(resolve_model_data_config(model))

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
