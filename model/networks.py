"""The supported networks, and their names in timm.

DeiT (Touvron et al. 2021) of three sizes, and `vit_digits`: the same structure, small enough for
the preset `small`, trained on handwritten digits by `sparse-vit train-small`. Its weights and
attention maps come with the project.
"""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import timm
from timm.data import IMAGENET_INCEPTION_MEAN, IMAGENET_INCEPTION_STD
from timm.models import (
    build_model_with_cfg,
    generate_default_cfgs,
    register_model,
)
from timm.models.vision_transformer import VisionTransformer

from model.network import COLOURS, Network
from model.preprocessing import Preprocessing
from rtl_gen.errors import UserError

ASSETS = Path(str(resources.files("model") / "assets"))
"""What comes with the project: weights (.safetensors) and averaged attention maps (.npz)."""

PROTECTED_TOKENS = 1
"""The first tokens (CLS), which are no patches and which pruning never drops."""


def timm_name(network: Network) -> str:
    """timm's name of one of `ALL_NETWORKS`."""
    return f"{network.name}_patch{network.patch[0]}_{network.image_size[0]}"


DEIT_TINY = Network(name="deit_tiny", heads=3)
DEIT_SMALL = Network(name="deit_small", heads=6)
DEIT_BASE = Network(name="deit_base", heads=12)

NETWORKS: dict[str, Network] = {net.name: net for net in (DEIT_TINY, DEIT_SMALL, DEIT_BASE)}
"""The networks that accelerators are compared by."""

VIT_DIGITS = Network(
    name="vit_digits", heads=3, layers=4, head_dim=16, grid=(7, 7), patch=(4, 4), classes=10
)

ALL_NETWORKS: dict[str, Network] = {**NETWORKS, VIT_DIGITS.name: VIT_DIGITS}

default_cfgs = generate_default_cfgs(
    {
        timm_name(VIT_DIGITS): {
            "file": str(ASSETS / f"{VIT_DIGITS.name}.safetensors"),
            "num_classes": VIT_DIGITS.classes,
            "input_size": (COLOURS, *VIT_DIGITS.image_size),
            "crop_pct": 1.0,
            "interpolation": "bicubic",
            "fixed_input_size": True,
            "mean": IMAGENET_INCEPTION_MEAN,
            "std": IMAGENET_INCEPTION_STD,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        }
    }
)


@register_model
def vit_digits_patch4_28(*, pretrained: bool = False, **options: Any) -> VisionTransformer:
    """The entry point by which timm creates `VIT_DIGITS`."""
    shape = {
        "img_size": VIT_DIGITS.image_size,
        "patch_size": VIT_DIGITS.patch,
        "embed_dim": VIT_DIGITS.dim,
        "depth": VIT_DIGITS.layers,
        "num_heads": VIT_DIGITS.heads,
        "mlp_ratio": VIT_DIGITS.mlp_ratio,
        "num_classes": VIT_DIGITS.classes,
    }
    return build_model_with_cfg(
        VisionTransformer, timm_name(VIT_DIGITS), pretrained, **(shape | options)
    )


@cache
def registered(network: Network) -> dict[str, Preprocessing]:
    """Preprocessing by timm's names, without and with tags, of the weights that fit a network.

    timm has ViT (Dosovitskiy et al. 2021) and DeiT of the same tensors; their pictures are
    normalised differently. The network's own name comes first.
    """
    architectures = dict.fromkeys(
        (timm_name(network), timm_name(network).replace("deit_", "vit_", 1))
    )
    names = (
        name
        for architecture in architectures
        for name in (architecture, *timm.list_models(f"{architecture}.*", pretrained=True))
    )
    return {
        name: Preprocessing.named(name)
        for name in names
        if timm.get_pretrained_cfg(name).num_classes == network.classes
    }


def get_network(name: str) -> Network:
    """The network `name`; timm's names for weights that fit it are understood too."""
    for network in ALL_NETWORKS.values():
        if name == network.name or name in registered(network):
            return network
    raise UserError(f"unknown model {name!r}: expected one of {', '.join(ALL_NETWORKS)}")
