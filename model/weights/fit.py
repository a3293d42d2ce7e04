"""Whether weights are those of a model, tensor by tensor."""

from collections.abc import Mapping

import torch
from timm.models.vision_transformer import VisionTransformer

from model.weights.beside import CONFIG, contradiction
from model.weights.files import Checkpoint
from rtl_gen.errors import UserError

Tensors = Mapping[str, torch.Tensor]

_KINDS = (
    ("dist_token", "a distilled network with a second token beside CLS"),
    ("reg_token", "a network with register tokens"),
    ("fc_norm.weight", "a network that classifies the mean of its tokens"),
)
"""Tensors that tell a network of another kind."""


def fitting(
    checkpoint: Checkpoint, model: VisionTransformer, problem: str, *, resized: bool = False
) -> Tensors:
    """The tensors of a model: one for each of its own, of the same shape.

    A classifier is left out where a model gives features.

    Args:
        problem: how the message of an error begins.
        resized: whether the model is for pictures of another size than the weights were.

    Raises:
        UserError: a tensor is missing, of another shape or has no place, or config.json beside the
            file describes another network.
    """
    contradicted = contradiction(checkpoint.config, model, resized=resized)
    if contradicted is not None:
        raise UserError(f"{problem}: {CONFIG} beside it says {contradicted}")
    expected, found = model.state_dict(), checkpoint.tensors
    if not any(map(_is_classifier, expected)):
        found = {name: tensor for name, tensor in found.items() if not _is_classifier(name)}
    misfit = _misfit(expected, found)
    if misfit is not None:
        raise UserError(f"{problem}: {misfit}")
    return found


def _misfit(expected: Tensors, found: Tensors) -> str | None:
    for name, kind in _KINDS:
        if name in found and name not in expected:
            return f"it is {kind}, expected one without"
    for name, tensor in expected.items():
        if name not in found:
            missing = f"tensor {name} is missing, expected {_shape(tensor)}"
            if _is_classifier(name) and not any(map(_is_classifier, found)):
                return f"it has no classifier, as after pre-training: {missing}"
            return missing
        if found[name].shape != tensor.shape:
            return f"tensor {name} has shape {_shape(found[name])}, expected {_shape(tensor)}"
    for name, tensor in found.items():
        if name not in expected:
            return f"tensor {name} of shape {_shape(tensor)} has no place in the model"
    return None


def _is_classifier(name: str) -> bool:
    return name.startswith(("head.", "head_dist."))


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))
