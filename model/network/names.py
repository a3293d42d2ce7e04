"""The networks by their names: timm's, files of one's own, and those of the project.

A name is one of

    deit_tiny                                    of the project: `ALL_NETWORKS`
    vit_tiny_patch16_384                         timm's, with or without a tag
    vit_small_patch14_reg4_dinov2+img_size=224   with changes: timm's keywords, `Keywords`
    my_vit.yaml                                  a file of keywords: `model.network.network_file`

The project's own are DeiT (Touvron et al. 2021) of three sizes, and `vit_digits`: the same
structure, small enough for the preset `small`, trained on handwritten digits by `sparse-vit
train-small`. Its weights and attention maps come with the project.
"""

import difflib
from dataclasses import replace
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

from model.data.preprocessing import COLOURS, Preprocessing
from model.files.changes import split_changes
from model.network.network_file import SUFFIXES, read_network_file, with_changes
from model.network.shape import Network
from model.network.timm_model import TimmModel
from rtl_gen.errors import UserError

ASSETS = Path(str(resources.files("model") / "assets"))
"""What comes with the project: weights (.safetensors) and averaged attention maps (.npz)."""

DEIT_TINY = Network(name="deit_tiny", heads=3, timm=TimmModel(name="deit_tiny_patch16_224"))
DEIT_SMALL = Network(name="deit_small", heads=6, timm=TimmModel(name="deit_small_patch16_224"))
DEIT_BASE = Network(name="deit_base", heads=12, timm=TimmModel(name="deit_base_patch16_224"))

NETWORKS: dict[str, Network] = {net.name: net for net in (DEIT_TINY, DEIT_SMALL, DEIT_BASE)}
"""The networks that accelerators are compared by."""

VIT_DIGITS = Network(
    name="vit_digits",
    heads=3,
    layers=4,
    head_dim=16,
    grid=(7, 7),
    patch=(4, 4),
    classes=10,
    timm=TimmModel(name="vit_digits_patch4_28"),
)

ALL_NETWORKS: dict[str, Network] = {**NETWORKS, VIT_DIGITS.name: VIT_DIGITS}

NAMES_MEAN = (
    f"one of {', '.join(ALL_NETWORKS)}, a timm name (vit_tiny_patch16_384) with or without changes "
    "(+img_size=224+num_classes=100), or a YAML file of timm's keywords"
)
"""What stands wherever a network is chosen."""


def timm_of(network: Network) -> TimmModel:
    """How timm makes the model of a network; UserError if its shape is all that is known."""
    if network.timm is None:
        raise UserError(f"{network.name} is a shape alone: name the network with --model")
    return network.timm


def timm_name(network: Network) -> str:
    """The name of the architecture, as timm knows it."""
    return timm_of(network).architecture


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
    shape: dict[str, Any] = {
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


def registered(network: Network) -> dict[str, Preprocessing]:
    """Preprocessing by timm's names of the weights that fit a network: `TimmModel.known`."""
    return timm_of(network).known()


def get_network(name: str) -> Network:
    """The network of a name, see the module.

    Raises:
        UserError: no such name or file, changes that timm refuses, or a part that the accelerator
            has no unit for.
    """
    for network in ALL_NETWORKS.values():
        if name in (network.name, timm_name(network)):
            return network
    if is_file(name):
        return Network.of(read_network_file(Path(name)), Path(name).stem)
    return _of_name(name)


def is_file(name: str) -> bool:
    """Whether a network's name is that of a file."""
    return Path(name).suffix in SUFFIXES


@cache
def _of_name(spec: str) -> Network:
    base, values = split_changes(spec, "network")
    timm_model = with_changes(
        timm_name(ALL_NETWORKS[base]) if base in ALL_NETWORKS else base, values, spec
    )
    if not timm_model.exists:
        raise _unknown(spec, timm_model)
    names = {timm_name(net): net.name for net in ALL_NETWORKS.values()}
    untagged = replace(timm_model, name=timm_model.architecture)
    label = str(replace(untagged, name=names.get(untagged.name, untagged.name)))
    network = Network.of(timm_model, label)
    if timm_model == untagged or network == Network.of(untagged, label):
        return network
    return replace(network, name=str(timm_model))


def _unknown(spec: str, timm_model: TimmModel) -> UserError:
    if timm.is_model(timm_model.name):
        tags = timm.list_models(f"{timm_model.architecture}.*", pretrained=True)
        known = [*ALL_NETWORKS, *tags]
    else:
        modules = ("vision_transformer", "deit")
        known = [
            *ALL_NETWORKS,
            *(name for each in modules for name in timm.list_models(module=each)),
        ]
    near = difflib.get_close_matches(timm_model.name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown model {spec!r}: {hint}expected {NAMES_MEAN}")
