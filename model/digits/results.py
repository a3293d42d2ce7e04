"""What the training leaves: weights, attention maps, the integer network, and their accuracy."""

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from timm.models.vision_transformer import VisionTransformer

from model.attention.maps import AttentionMaps, average_attention
from model.data.digits import Split
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.digits.train import SPARSITIES, DigitsRecipe
from model.masks.strategies import make_masks
from model.network.names import VIT_DIGITS
from model.pruning.schedule import DEFAULT_SCHEDULE
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference
from model.weights.files import as_bytes
from rtl_gen.files import replace_file


def references(model: VisionTransformer, maps: np.ndarray) -> dict[str, FloatReference]:
    """Dense, and at each sparsity without and with pruning; masks of averaged attention `maps`."""
    dense = FloatReference(network=VIT_DIGITS, model=model)
    forms = {"dense": dense}
    for sparsity in SPARSITIES:
        sparse = replace(dense, masks=make_masks(maps, sparsity, prefix=VIT_DIGITS.prefix_tokens))
        forms[f"{sparsity:.0%} sparse"] = sparse
        forms[f"{sparsity:.0%} sparse, pruned"] = replace(
            sparse, schedule=DEFAULT_SCHEDULE.fitted(VIT_DIGITS)
        )
    return forms


def top1(model: VisionTransformer, maps: np.ndarray, folder: ImageFolder) -> dict[str, float]:
    """Top-1 accuracy of every form on the images of a folder."""
    return {name: form.accuracy(folder) for name, form in references(model, maps).items()}


def write_network(
    model: VisionTransformer, recipe: DigitsRecipe, folders: Mapping[Split, ImageFolder], out: Path
) -> dict[str, float]:
    """Write `vit_digits.safetensors`, `.npz` and `-int8.safetensors`; returns the accuracies.

    Attention is averaged over the training images, integers get their ranges from the calibration
    images, and the accuracies are those of the held-back images in float.
    """
    maps = average_attention(VIT_DIGITS, model, folders[Split.TRAIN], recipe.batch_size)
    preprocessing = {"preprocessing": Preprocessing.of(model).as_json()}
    origin = {"command": "sparse-vit train-small", "recipe": dataclasses.asdict(recipe)}
    with replace_file(out / f"{VIT_DIGITS.name}.npz") as file:
        metadata = {"network": VIT_DIGITS.name, "synthetic": False, **_images(folders[Split.TRAIN])}
        AttentionMaps(maps, metadata | preprocessing | origin).write(file)
    dense = FloatReference(network=VIT_DIGITS, model=model)
    integers = quantise_network(dense, folders[Split.CALIBRATION], recipe.batch_size)
    metadata = _images(folders[Split.CALIBRATION]) | origin
    replace(integers, metadata=metadata).save(out / f"{VIT_DIGITS.name}-int8.safetensors")
    accuracy = top1(model, maps, folders[Split.HELD_BACK])
    with replace_file(out / f"{VIT_DIGITS.name}.safetensors") as file:
        file.write(as_bytes(model, held_back_top1=accuracy, **origin))
    return accuracy


def _images(folder: ImageFolder) -> dict[str, Any]:
    return {"images": len(folder), "images_sha256": folder.digest()}
