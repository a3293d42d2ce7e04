"""Float to the accelerator's integers, and what these say about pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from model.data.image_folder import ImageFolder
from model.integer.forward import forward
from model.integer.network import IntegerNetwork
from model.masks.strategies import sparsity_of
from model.program.choices import picture_patches
from model.pruning.hardware import prune_counts
from model.pruning.schedule import NO_PRUNING, Schedule
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference
from rtl_gen.errors import UserError
from sparse_vit.inputs import (
    Masks,
    Picture,
    evaluating,
    image_folder,
    masks_array,
    network_of,
    opened,
    schedule_for,
)


@dataclass(frozen=True, kw_only=True)
class IntegerModel:
    """A network in integers, exact to the hardware in every bit, with its masks and schedule."""

    integers: IntegerNetwork
    masks: np.ndarray | None = None
    """Kept entries, bool (layers, heads, n, n); None for dense attention."""
    schedule: Schedule = NO_PRUNING

    def __repr__(self) -> str:
        shape = self.integers.shape
        attention = "dense" if self.masks is None else f"{sparsity_of(self.masks):.0%} sparse"
        left = self.schedule.layer_tokens(shape)[-1].leaving
        return f"<IntegerModel {shape.name}: {attention}, {shape.tokens} to {left} tokens>"

    def pruned(self, masks: Masks | None, schedule: Schedule | Path | str | None = None) -> Self:
        """The same integers with masks and a schedule of token pruning.

        Raises:
            UserError: masks of another shape, or a schedule that the hardware does not have.
        """
        shape = self.integers.shape
        pruning = schedule_for(schedule, shape)
        prune_counts(shape, pruning)
        return replace(self, masks=masks_array(masks, shape), schedule=pruning)

    def predict(self, pictures: Picture | Sequence[Picture]) -> np.ndarray:
        """The class of every picture, int (pictures,)."""
        return self.logits(pictures).argmax(axis=1)

    def logits(self, pictures: Picture | Sequence[Picture]) -> np.ndarray:
        """Logits of every picture, float64 (pictures, classes).

        Args:
            pictures: a file, a folder, a PIL image, or a list of them.

        Raises:
            UserError: no pictures, or one that cannot be read.
        """
        patches = [picture_patches(self.integers, picture) for picture in opened(pictures)]
        if not patches:
            raise UserError("no pictures: expected at least one")
        found = [forward(self.integers, one, self.mask_tensor, self.keep) for one in patches]
        return torch.cat(found).numpy() * self.integers.logit_step

    @property
    def keep(self) -> list[int | None]:
        """Tokens (CLS counted) that each layer leaves; None where it drops none."""
        return prune_counts(self.integers.shape, self.schedule)

    @property
    def mask_tensor(self) -> Tensor:
        """The masks, bool (layers, heads, n, n); all True for dense attention."""
        if self.masks is None:
            return torch.ones(self.integers.shape.mask_shape, dtype=torch.bool)
        return torch.from_numpy(self.masks)

    def save(self, path: Path | str) -> None:
        """Write the integers (.safetensors), as `sparse-vit quantise` does; masks are not in it."""
        self.integers.save(Path(path))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` or `sparse-vit quantise` wrote.

        Raises:
            UserError: no such file, or another kind of file.
        """
        return cls(integers=IntegerNetwork.load(Path(path)))


def quantise(
    model: VisionTransformer,
    images: ImageFolder | Path | str,
    *,
    limit: int | None = 250,
    batch_size: int = 16,
    progress: Callable[[int], object] | None = None,
    seed: int = 0,
) -> IntegerModel:
    """The integers of a float model, with ranges from pictures; nothing is trained.

    Args:
        model: a timm model, see `load`.
        images: a folder with pictures at any depth; labels are not needed.
        limit: use at most so many, evenly spread; None: all.
        batch_size: pictures a step.
        progress: called with the number of pictures of every finished step.
        seed: chooses the token rows that enter the statistics.

    Raises:
        UserError: a model that is not supported, no readable pictures, or ranges that do not fit.
    """
    with evaluating(model):
        network, folder = network_of(model), image_folder(images, limit)
        reference = FloatReference(network=network, model=model)
        return IntegerModel(
            integers=quantise_network(reference, folder, batch_size, progress, seed)
        )
