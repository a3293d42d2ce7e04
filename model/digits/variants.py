"""The forms in which `vit_digits` runs, and the accuracy of each."""

from dataclasses import replace

import numpy as np
from timm.models.vision_transformer import VisionTransformer

from model.digits.train import SPARSITIES
from model.images import ImageFolder
from model.masks import make_masks
from model.networks import VIT_DIGITS
from model.reference import FloatReference
from model.schedule import DEFAULT_SCHEDULE


def references(model: VisionTransformer, maps: np.ndarray) -> dict[str, FloatReference]:
    """Dense, and at each sparsity without and with pruning; masks of averaged attention `maps`."""
    dense = FloatReference(network=VIT_DIGITS, model=model)
    forms = {"dense": dense}
    for sparsity in SPARSITIES:
        sparse = replace(dense, masks=make_masks(maps, sparsity))
        forms[f"{sparsity:.0%} sparse"] = sparse
        forms[f"{sparsity:.0%} sparse, pruned"] = replace(
            sparse, schedule=DEFAULT_SCHEDULE.fitted(VIT_DIGITS)
        )
    return forms


def top1(model: VisionTransformer, maps: np.ndarray, folder: ImageFolder) -> dict[str, float]:
    """Top-1 accuracy of every form on the images of a folder."""
    return {name: form.accuracy(folder) for name, form in references(model, maps).items()}
