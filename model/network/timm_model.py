"""How timm makes the model of a network: an architecture by its name, and what differs from it.

Beside timm's own architectures there are `plain_vit` and `plain_vit_distilled`, whose keywords are
all the user's: timm's `VisionTransformer` and `VisionTransformerDistilled` as they come.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import timm
import torch
from timm.layers import resample_abs_pos_embed
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from model.data.preprocessing import COLOURS, Preprocessing
from rtl_gen.errors import UserError

PLAIN, PLAIN_DISTILLED = "plain_vit", "plain_vit_distilled"

TWINS = ("deit_", "vit_")
"""Prefixes of architectures of the same tensors, whose pictures are normalised differently."""

default_cfgs = generate_default_cfgs(
    {
        name: {"num_classes": 1000, "first_conv": "patch_embed.proj", "classifier": "head"}
        for name in (PLAIN, PLAIN_DISTILLED)
    }
)


@register_model
def plain_vit(*, pretrained: bool = False, **keywords: Any) -> VisionTransformer:
    """timm's `VisionTransformer` of any keywords."""
    return build_model_with_cfg(VisionTransformer, PLAIN, pretrained, **keywords)


@register_model
def plain_vit_distilled(*, pretrained: bool = False, **keywords: Any) -> VisionTransformer:
    """The same with a second prefix token that has a classifier of its own."""
    return build_model_with_cfg(VisionTransformerDistilled, PLAIN_DISTILLED, pretrained, **keywords)


@dataclass(frozen=True, kw_only=True)
class TimmModel:
    """An architecture of timm, and its keywords where they are not the architecture's own."""

    name: str
    """timm's, with a tag if certain weights are meant."""
    changes: tuple[tuple[str, Any], ...] = ()
    """Keywords and their values, in the order of their names."""
    preprocessing: Preprocessing | None = None
    """That of the weights where it was stated; None: that of the name."""

    @property
    def exists(self) -> bool:
        """Whether timm has an architecture of the name, and weights of its tag."""
        if not timm.is_model(self.name):
            return False
        return self.name == self.architecture or self.name in timm.list_models(
            f"{self.architecture}.*", pretrained=True
        )

    @property
    def architecture(self) -> str:
        """The name without a tag."""
        return self.name.partition(".")[0]

    def create(self, *, pretrained: bool = False) -> nn.Module:
        """The model, with pictures of its own size; its weights are random or timm's.

        Raises:
            UserError: keywords that timm refuses, or weights that it does not have.
            OSError: the weights cannot be downloaded.
        """
        if pretrained:
            self._check_weights()
        changes = dict(self.changes)
        try:
            model = timm.create_model(self.name, pretrained=pretrained, **changes)
        except (AssertionError, TypeError, ValueError, ZeroDivisionError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"timm cannot make {self}: {reason}") from error
        size = getattr(getattr(model, "patch_embed", None), "img_size", None)
        if size is not None:
            model.pretrained_cfg = {**model.pretrained_cfg, "input_size": (COLOURS, *size)}
        if self.preprocessing is not None:
            self.preprocessing.apply_to(model)
        return model

    def skeleton(self) -> nn.Module:
        """The model without numbers, on the device `meta`: fast, whatever its size."""
        with torch.device("meta"):
            return self.create()

    def own_preprocessing(self) -> Preprocessing | None:
        """What was stated, or else that of timm's weights of the name, if it is known at all."""
        if self.preprocessing is not None or self.architecture in (PLAIN, PLAIN_DISTILLED):
            return self.preprocessing
        return Preprocessing.named(self.name)

    def known(self) -> dict[str, Preprocessing]:
        """Preprocessing by timm's names, without and with tags, of the weights that fit.

        timm has ViT (Dosovitskiy et al. 2021) and DeiT of the same tensors. The model's own name
        comes first. Where the number of classes was changed, weights of any number of them count,
        as the model was trained from some of them.
        """
        classes = None if "num_classes" in dict(self.changes) else self._config.num_classes
        return _known(self.architecture, classes)

    def resized(self, model: VisionTransformer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors with position embeddings of the model's grid, if its size was changed.

        They are interpolated as timm does it where it loads its own weights.
        """
        place, found = "pos_embed", tensors.get("pos_embed")
        changed = {"img_size", "patch_size"} & dict(self.changes).keys()
        if not changed or found is None or model.pos_embed is None or found.ndim != 3:
            return tensors
        prefix = 0 if model.no_embed_class else model.num_prefix_tokens
        side = max(found.shape[1] - prefix, 0) ** 0.5
        if found.shape == model.pos_embed.shape or side != int(side):
            return tensors
        grid = list(model.patch_embed.grid_size)
        return tensors | {place: resample_abs_pos_embed(found, grid, num_prefix_tokens=prefix)}

    @property
    def _config(self) -> Any:
        return timm.get_pretrained_cfg(self.name)

    def _check_weights(self) -> None:
        """Raise UserError if timm has no weights of exactly this model."""
        if not self._config.has_weights:
            raise UserError(f"timm has no weights of {self.name}: name a file with --weights")
        kept = (("num_classes", 0),)  # the features of the same weights
        others = [
            key for key, value in self.changes if key != "img_size" and (key, value) not in kept
        ]
        if others:
            raise UserError(
                f"timm's weights of {self.name} are for another {others[0]} than {self} has: name "
                "a file with --weights"
            )

    def __str__(self) -> str:
        return "+".join([self.name, *(f"{key}={shown(value)}" for key, value in self.changes)])


def shown(value: Any) -> str:
    """A keyword's value as it stands in names: rows and columns as 192x256, 224 if they agree."""
    if isinstance(value, tuple):
        return str(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def _known(architecture: str, classes: int | None) -> dict[str, Preprocessing]:
    if architecture in (PLAIN, PLAIN_DISTILLED):
        return {}
    names = [
        name
        for twin in (architecture, *_twins(architecture))
        for name in (twin, *timm.list_models(f"{twin}.*", pretrained=True))
    ]
    return {
        name: Preprocessing.named(name)
        for name in names
        if classes in (None, timm.get_pretrained_cfg(name).num_classes)
    }


def _twins(architecture: str) -> list[str]:
    """The architecture of DeiT for one of ViT, and the reverse, if timm has it."""
    for own, other in (TWINS, TWINS[::-1]):
        twin = other + architecture.removeprefix(own)
        if architecture.startswith(own) and timm.is_model(twin):
            return [twin]
    return []
