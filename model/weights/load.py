"""Models with their weights, and with the preprocessing that belongs to the weights.

Weights of timm's own source bring it along. That of a file is decided by the first of

1. a timm name that the user states (`--preprocessing`, or `--model` in timm's words);
2. what the file says of itself (`model.weights.files`);
3. its tensors, if all networks that they fit have one preprocessing.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import cast

from huggingface_hub.utils import logging as hub_logging
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from model.data.preprocessing import Preprocessing
from model.files.changes import split_changes
from model.network.names import ALL_NETWORKS, is_file, registered, timm_of
from model.network.shape import Network
from model.weights.beside import norm_epsilon
from model.weights.files import Checkpoint, Statement, read_weights
from model.weights.fit import fitting
from model.weights.storage import first_line
from rtl_gen.errors import InputWarning, UserError


def stated_name(model: str, weights: Path | None, preprocessing: str | None) -> str | None:
    """timm's name of the weights if the user gave one: as `preprocessing`, or in place of `model`.

    Raises:
        UserError: a preprocessing that timm does not have, or that no file is given for.
    """
    if preprocessing is not None:
        Preprocessing.stated(preprocessing)
        if weights is None:
            raise UserError(
                "--preprocessing is that of a file: name it with --weights (timm's own weights "
                "bring theirs along, --model chooses them by timm's name)"
            )
        return preprocessing
    base, _ = split_changes(model, "network")
    return None if base in ALL_NETWORKS or is_file(base) else base


def load_model(
    network: Network, weights: Path | None = None, stated: str | None = None
) -> VisionTransformer:
    """The timm model in evaluation mode, with weights from a file or else from timm's own source.

    Args:
        network: which network.
        weights: a file whose tensors must match one by one; see `model.weights.files`.
        stated: what decides on the preprocessing of a file, see `Preprocessing.stated`.

    Raises:
        UserError: the download failed, the file is unreadable, a tensor does not fit or is not
            finite, or nothing tells the preprocessing.
    """
    if weights is None:
        model = _pretrained(network)
    else:
        model = cast(VisionTransformer, timm_of(network).create())
        fill(model, network, weights, stated)
    return model.eval().requires_grad_(False)


def load_beside(
    other: nn.Module, network: Network, weights: Path, stated: str | None = None
) -> VisionTransformer:
    """As `load_model`, of weights that are given the same pictures as another model.

    Raises:
        UserError: they are for other pictures, too.
    """
    loaded = load_model(network, weights, stated)
    here, there = Preprocessing.of(loaded), Preprocessing.of(other)
    if here != there:
        raise UserError(
            f"{weights} is for pictures of {here}, the weights beside it for {there}: expected "
            "weights of one preprocessing"
        )
    return loaded


def fill(
    model: VisionTransformer, network: Network, weights: Path, stated: str | None = None
) -> None:
    """Put the weights of a file and their preprocessing into a timm model of a network.

    Raises:
        UserError: as `load_model`.
    """
    made_by, checkpoint = timm_of(network), read_weights(weights, network)
    resized = "img_size" in dict(made_by.changes)
    checkpoint = replace(checkpoint, tensors=made_by.resized(model, checkpoint.tensors))
    problem = f"weights file {weights} does not fit {network.name}"
    tensors = fitting(checkpoint, model, problem, resized=resized)
    model.load_state_dict(tensors)
    epsilon = norm_epsilon(checkpoint.config)
    for module in model.modules():
        if epsilon is not None and isinstance(module, nn.LayerNorm):
            module.eps = epsilon
    says = _preprocessing(network, weights, checkpoint, stated)
    size = tuple(model.patch_embed.img_size)
    if says.size not in (None, size) and not resized:
        made, expected = (" x ".join(map(str, each)) for each in (says.size, size))
        raise UserError(f"{problem}: {says.place} makes pictures of {made}, expected {expected}")
    says.preprocessing.apply_to(model)


def _pretrained(network: Network) -> VisionTransformer:
    hub_logging.set_verbosity_error()
    try:
        return cast(VisionTransformer, timm_of(network).create(pretrained=True))
    except OSError as error:
        raise UserError(
            f"the pretrained weights of {network.name} could not be downloaded "
            f"({first_line(error)}): connect to the internet or name a file with --weights"
        ) from error


def _preprocessing(
    network: Network, path: Path, checkpoint: Checkpoint, stated: str | None
) -> Statement:
    says = checkpoint.says
    of_network = timm_of(network).preprocessing
    if stated is not None:
        says = (Statement(f"the command ({stated})", Preprocessing.stated(stated)), *says)
    elif of_network is not None:
        says = (Statement(f"the file of {network.name}", of_network), *says)
    if not says:
        return _only_one(network, path)
    first = says[0]
    for other in says[1:]:
        if other.preprocessing != first.preprocessing:
            warnings.warn(
                f"weights file {path}: {first.place} says {first.preprocessing}, {other.place} "
                f"{other.preprocessing}; the first is taken, --preprocessing chooses",
                InputWarning,
                stacklevel=2,
            )
            break
    return first


def _only_one(network: Network, path: Path) -> Statement:
    """The preprocessing of all networks that the tensors fit."""
    names: dict[Preprocessing, str] = {}
    for name, preprocessing in registered(network).items():
        names.setdefault(preprocessing, name)
    if not names:
        raise UserError(
            f"weights file {path} does not say how its pictures are normalised: say it with "
            "--preprocessing, as in mean=0.5+std=0.5 or by timm's name of alike weights"
        )
    if len(names) > 1:
        choices = " or ".join(f"{name} ({each})" for each, name in names.items())
        raise UserError(
            f"weights file {path} does not say how its pictures are normalised: its tensors are "
            f"those of {choices}, name one with --preprocessing"
        )
    preprocessing, name = next(iter(names.items()))
    return Statement(f"its tensors ({name})", preprocessing)
