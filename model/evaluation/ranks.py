"""The rank of the right class, image by image, from the float or the integer network.

Rank 0 is a hit of top-1, ranks 0 to 4 are hits of top-5: see `model.reference.hits`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from model.data.image_folder import ImageFolder
from model.evaluation.integer_accuracy import pixels_of
from model.integer.forward import forward, patches_of
from model.integer.network import IntegerNetwork
from model.pruning.hardware import kept_after_attention
from model.reference.forward import FloatReference
from model.reference.hits import rank_of

Progress = Callable[[int], object]


@torch.inference_mode()
def ranks(
    reference: FloatReference,
    integer: IntegerNetwork | None,
    folder: ImageFolder,
    batch_size: int,
    progress: Progress,
) -> list[int]:
    """Ranks of all readable images, in the folder's order.

    Args:
        reference: the float network with its masks and its schedule.
        integer: where given, this network is run in the reference's place, masked and pruned alike.
        folder: images and their classes.
        batch_size: images a step.
        progress: called with the number of images of every finished batch.
    """
    found: list[int] = []
    run = _float(reference) if integer is None else _integer(reference, integer)
    for images, labels in folder.batches(reference.model, batch_size):
        assert labels is not None
        found += rank_of(run(images), labels).tolist()
        progress(len(images))
    return found


def _float(reference: FloatReference) -> Callable[[Tensor], Tensor]:
    return reference.forward


def _integer(reference: FloatReference, network: IntegerNetwork) -> Callable[[Tensor], Tensor]:
    masks = None if reference.masks is None else torch.from_numpy(reference.masks)
    keep = kept_after_attention(reference.schedule, reference.network)

    def run(images: Tensor) -> Tensor:
        patches = patches_of(network.shape, pixels_of(reference, images))
        return forward(network, patches, masks, keep)

    return run
