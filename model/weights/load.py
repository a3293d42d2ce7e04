"""Models with their weights, and with the preprocessing that belongs to the weights.

Weights of timm's own source bring it along. That of a file is decided by the first of

1. a timm name that the user states (`--preprocessing`, or `--model` in timm's words);
2. what the file says of itself (`model.weights.files`);
3. its tensors, if all networks that they fit have one preprocessing.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from huggingface_hub.utils import logging as hub_logging
from timm.models.vision_transformer import VisionTransformer

from model.network import Network
from model.networks import ALL_NETWORKS, registered, timm_name
from model.preprocessing import Preprocessing
from model.weights.beside import CONFIG, contradiction
from model.weights.files import Checkpoint, Statement, read_weights
from model.weights.storage import first_line
from rtl_gen.errors import InputWarning, UserError


def stated_name(model: str, weights: Path | None, preprocessing: str | None) -> str | None:
    """timm's name of the weights if the user gave one: as `preprocessing`, or in place of `model`.

    Raises:
        UserError: a preprocessing that timm does not have, or that no file is given for.
    """
    if preprocessing is not None:
        Preprocessing.named(preprocessing)
        if weights is None:
            raise UserError(
                "--preprocessing is that of a file: name it with --weights (timm's own weights "
                "bring theirs along, --model chooses them by timm's name)"
            )
        return preprocessing
    return None if model in ALL_NETWORKS else model


def load_model(
    network: Network, weights: Path | None = None, stated: str | None = None
) -> VisionTransformer:
    """The timm model in evaluation mode, with weights from a file or else from timm's own source.

    Args:
        network: which network.
        weights: a file whose tensors must match one by one; see `model.weights.files`.
        stated: timm's name of the weights. It decides on their preprocessing, and which ones are
            downloaded if there is no file.

    Raises:
        UserError: the download failed, the file is unreadable, a tensor does not fit or is not
            finite, or nothing tells the preprocessing.
    """
    if weights is None:
        model = _pretrained(network, stated)
    else:
        model = timm.create_model(timm_name(network))
        checkpoint = read_weights(weights, network)
        problem = contradiction(checkpoint.config, model)
        if problem is not None:
            raise _misfit(network, weights, f"{CONFIG} beside it says {problem}")
        expected = model.state_dict()
        tensors = _without_classifier(expected, checkpoint.tensors)
        _check_fit(network, weights, expected=expected, found=tensors)
        model.load_state_dict(tensors)
        says = _preprocessing(network, weights, checkpoint, stated)
        size = tuple(model.patch_embed.img_size)
        if says.size not in (None, size):
            made, expected = (" x ".join(map(str, each)) for each in (says.size, size))
            raise _misfit(
                network, weights, f"{says.place} makes pictures of {made}, expected {expected}"
            )
        says.preprocessing.apply_to(model)
    return model.eval().requires_grad_(False)


def _pretrained(network: Network, stated: str | None) -> VisionTransformer:
    hub_logging.set_verbosity_error()
    try:
        return timm.create_model(stated or timm_name(network), pretrained=True)
    except OSError as error:
        raise UserError(
            f"the pretrained weights of {network.name} could not be downloaded "
            f"({first_line(error)}): connect to the internet or name a file with --weights"
        ) from error


def _preprocessing(
    network: Network, path: Path, checkpoint: Checkpoint, stated: str | None
) -> Statement:
    says = checkpoint.says
    if stated is not None:
        says = (Statement(f"the command ({stated})", Preprocessing.named(stated)), *says)
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
    if len(names) > 1:
        choices = " or ".join(f"{name} ({each})" for each, name in names.items())
        raise UserError(
            f"weights file {path} does not say how its pictures are normalised: its tensors are "
            f"those of {choices}, name one with --preprocessing"
        )
    preprocessing, name = next(iter(names.items()))
    return Statement(f"its tensors ({name})", preprocessing)


def _without_classifier(
    expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]
) -> Mapping[str, torch.Tensor]:
    """The tensors that features come from, if features are what the network gives."""
    if any(_is_classifier(name) for name in expected):
        return found
    return {name: tensor for name, tensor in found.items() if not _is_classifier(name)}


def _is_classifier(name: str) -> bool:
    return name.startswith(("head.", "head_dist."))


def _check_fit(
    network: Network,
    path: Path,
    *,
    expected: Mapping[str, torch.Tensor],
    found: Mapping[str, torch.Tensor],
) -> None:
    for name, meaning in (
        ("dist_token", "a distilled network with a second token beside CLS"),
        ("reg_token", "a network with register tokens"),
        ("fc_norm.weight", "a network that classifies the mean of its tokens"),
    ):
        if name in found and name not in expected:
            raise _misfit(network, path, f"it is {meaning}, expected one without")
    for name, tensor in expected.items():
        if name not in found and _is_classifier(name) and not any(map(_is_classifier, found)):
            raise _misfit(
                network,
                path,
                f"it has no classifier, as after pre-training: tensor {name} is missing, expected "
                f"{_shape(tensor)}",
            )
        if name not in found:
            raise _misfit(network, path, f"tensor {name} is missing, expected {_shape(tensor)}")
        if found[name].shape != tensor.shape:
            raise _misfit(
                network,
                path,
                f"tensor {name} has shape {_shape(found[name])}, expected {_shape(tensor)}",
            )
    for name, tensor in found.items():
        if name not in expected:
            raise _misfit(
                network,
                path,
                f"tensor {name} of shape {_shape(tensor)} has no place in the model",
            )


def _misfit(network: Network, path: Path, what: str) -> UserError:
    return UserError(f"weights file {path} does not fit {network.name}: {what}")


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))
