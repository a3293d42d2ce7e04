"""Averaged attention of a model, and masks from it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from timm.models.vision_transformer import VisionTransformer

from model.attention import maps as attention_maps
from model.attention.maps import AttentionMaps
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.masks import strategies
from sparse_vit.inputs import Maps, averages, evaluating, image_folder, maps_array, network_of


def average_attention(
    model: VisionTransformer,
    images: ImageFolder | Path | str,
    *,
    limit: int | None = None,
    batch_size: int = 16,
    progress: Callable[[int], object] | None = None,
) -> AttentionMaps:
    """Attention probabilities averaged over the pictures of a folder.

    Args:
        model: a timm model, see `load`.
        images: a folder with pictures at any depth; labels are not needed.
        limit: use at most so many, evenly spread.
        batch_size: pictures a step; it does not show in the result.
        progress: called with the number of pictures of every finished step.

    Returns:
        `maps`: float64 (layers, heads, n, n), rows = queries, each summing to 1.

    Raises:
        UserError: a model that is not supported, or a folder without readable pictures.
    """
    with evaluating(model):
        network, folder = network_of(model), image_folder(images, limit)
        found = attention_maps.average_attention(network, model, folder, batch_size, progress)
    metadata = {
        "network": network.name,
        "prefix_tokens": network.prefix_tokens,
        "synthetic": False,
        "images": len(folder) - len(folder.unreadable),
        "images_sha256": folder.digest(),
        "preprocessing": Preprocessing.of(model).as_json(),
    }
    return AttentionMaps(found, metadata)


def vitcod(maps: Maps, *, sparsity: float, prefix: int | None = None) -> np.ndarray:
    """Masks by ViTCoD's rule (HPCA 2023): one information threshold over all layers and heads.

    Args:
        maps: of `average_attention`, an array (layers, heads, n, n) of rows that sum to 1, a file
            of `sparse-vit attention-maps`, or a network whose maps come with the project.
        sparsity: fraction of all entries to drop, 0 to below 1.
        prefix: tokens in front (CLS) whose rows and columns stay whole; None: as many as the maps
            say, 1 for an array.

    Returns:
        bool (layers, heads, n, n), True = kept.

    Raises:
        UserError: maps that are no probabilities, or a sparsity out of reach.
    """
    return make_masks(maps, sparsity=sparsity, prefix=prefix)


def make_masks(
    maps: Maps,
    *,
    sparsity: float,
    strategy: str = strategies.MASK_STRATEGY,
    scores: np.ndarray | None = None,
    prefix: int | None = None,
) -> np.ndarray:
    """Masks by any strategy: vitcod, layer_threshold, row_topk, or learned from `scores`.

    `scores` are float (layers, heads, n, n), the larger the earlier an entry is kept; the rest is
    as for `vitcod`.
    """
    given = averages(maps)
    if prefix is None:
        prefix = given.prefix_tokens if isinstance(given, AttentionMaps) else 1
    return strategies.make_masks(maps_array(given), sparsity, strategy, scores, prefix=prefix)
