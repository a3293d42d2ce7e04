"""Accuracy before and after fine-tuning: every network once over the same labelled images."""

from collections.abc import Callable, Mapping

import pandas as pd
import torch

from model.data.image_folder import ImageFolder
from model.evaluation.statistics import standard_error
from model.reference.forward import FloatReference
from model.reference.hits import is_hit


def evaluate(
    networks: Mapping[str, FloatReference],
    folder: ImageFolder,
    batch_size: int,
    device: torch.device,
    progress: Callable[[int], object],
) -> pd.DataFrame:
    """A row a network; the first one is what drops are counted from.

    Columns: network, images, top1 (percent), drop (points of top-1, negative where images are
    lost), drop_standard_error (of the mean of the differences image by image). Models are on the
    device. `progress` is called with the number of images of every finished batch.
    """
    hits: dict[str, list[bool]] = {name: [] for name in networks}
    model = next(iter(networks.values())).model
    for images, labels in folder.batches(model, batch_size):
        assert labels is not None
        moved = images.to(device)
        for name, reference in networks.items():
            hits[name] += is_hit(reference.forward(moved).cpu(), labels).tolist()
        progress(len(images))
    correct = pd.DataFrame(hits).astype(int)
    drops = correct.sub(correct.iloc[:, 0], axis=0)
    return pd.DataFrame(
        {
            "network": correct.columns,
            "images": len(correct),
            "top1": 100 * correct.mean().to_numpy(),
            "drop": 100 * drops.mean().to_numpy(),
            "drop_standard_error": 100 * drops.apply(standard_error).to_numpy(),
        }
    )
