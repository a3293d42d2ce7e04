"""What the integers cost: the integer network against the float one, image by image."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.evaluation.statistics import decibels
from model.integer.forward import forward, patches_of
from model.integer.network import IntegerNetwork
from model.network.shape import Network
from model.pruning.hardware import kept_after_attention
from model.reference.forward import FloatReference
from model.reference.hits import is_hit, same_class
from rtl_gen.errors import UserError


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same images.

    Attributes:
        labels: (images,) class indices.
        expected, actual: (images, classes) logits of the float and of the integer network.
    """

    labels: Tensor
    expected: Tensor
    actual: Tensor

    @property
    def float_top1(self) -> float:
        return self._correct(self.expected).double().mean().item()

    @property
    def integer_top1(self) -> float:
        return self._correct(self.actual).double().mean().item()

    @property
    def lost(self) -> int:
        """Images that only the float network gets right."""
        return int((self._correct(self.expected) & ~self._correct(self.actual)).sum())

    @property
    def won(self) -> int:
        """Images that only the integer network gets right."""
        return int((self._correct(self.actual) & ~self._correct(self.expected)).sum())

    @property
    def agreement(self) -> float:
        """Fraction of images for which both choose the same class."""
        return same_class(self.expected, self.actual).double().mean().item()

    @property
    def sqnr(self) -> float:
        """Power of the logits over that of their error, in dB; infinite if there is no error."""
        error = (self.actual - self.expected).square().sum().item()
        return decibels(self.expected.square().sum().item(), error)

    def _correct(self, logits: Tensor) -> Tensor:
        return is_hit(logits, self.labels)


@torch.inference_mode()
def compare(
    integer: IntegerNetwork,
    reference: FloatReference,
    folder: ImageFolder,
    batch_size: int = 8,
    progress: Callable[[int], object] | None = None,
) -> Comparison:
    """Both networks, with the masks and the schedule of the reference, on all images of a folder.

    `progress` is called with the number of images of every finished batch.

    Raises:
        UserError: the networks differ in shape or preprocessing, or the schedule prunes where
            hardware does not.
    """
    check_same(integer, reference.network, reference.model)
    masks = None if reference.masks is None else torch.from_numpy(reference.masks)
    keep = kept_after_attention(reference.schedule, reference.network)
    parts = []
    for images, labels in folder.batches(reference.model, batch_size):
        patches = patches_of(integer.shape, pixels_of(reference, images))
        logits = forward(integer, patches, masks, keep) * integer.logit_step
        parts.append((labels, reference.forward(images), logits))
        if progress is not None:
            progress(len(images))
    return Comparison(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def check_same(integer: IntegerNetwork, network: Network, model: nn.Module) -> None:
    """Raise UserError unless integers and a float model are of one network and preprocessing."""
    if integer.shape != network:
        raise UserError(
            f"the integer network is a {integer.shape.name}, expected a {network.name}: "
            "choose the other model or calibrate this one"
        )
    expected = Preprocessing.of(model)
    if integer.preprocessing not in (None, expected):
        raise UserError(
            f"the integer network was calibrated for pictures of {integer.preprocessing}, the "
            f"weights are for {expected}: calibrate these weights, or choose others or their "
            "--preprocessing"
        )


def pixels_of(reference: FloatReference, images: Tensor) -> Tensor:
    """uint8 pixels (b, 3, h, w) of images that were normalised for the reference's model."""
    return Preprocessing.of(reference.model).pixels(images).to(torch.uint8)
