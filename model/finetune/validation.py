"""Learning beside overfitting: the averaged network on images that training never sees.

Part of the images is held back. From time to time the losses (`distillation`) of the averaged
network are measured on these and on as many training images, sparse and sparse + pruned: where it
goes on gaining on the training images and no longer on the others, it overfits. Images are as in an
evaluation (centre crops), without augmentation; arithmetic is the run's.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from model.data.image_folder import ImageFolder
from model.data.picture_files import LeftOut
from model.finetune.trainer import Trainer
from rtl_gen.errors import UserError

COLUMNS = ("step", "held_back", "pruned", "logits", "feature", "hidden")
"""Of the history. `step`: finished ones; `held_back`: 0 for training images."""

BATCH_SIZE = 32


class HeldBackSplit(NamedTuple):
    """Parts of one folder; `measured` are some of the training images, as many as `held_back`."""

    training: ImageFolder
    measured: ImageFolder
    held_back: ImageFolder


def split(folder: ImageFolder, count: int, seed: int) -> HeldBackSplit:
    """Hold back `count` images, drawn by the seed; of one that comes twice both.

    Raises:
        UserError: fewer than as many are left.
    """
    names = [str(path) for path, _ in folder.files]
    first = np.sort(np.unique(names, return_index=True)[1])
    most = len(first) // 2
    if count > most:
        raise UserError(
            f"{count} of {len(first)} images to hold back: expected at most {most}, since as many "
            "training images are measured beside them"
        )
    source = np.random.SeedSequence(seed, spawn_key=(1,))
    order = first[np.random.default_rng(source).permutation(len(first))]
    held_back = folder.subset(order[:count])
    known = set(held_back.files)
    return HeldBackSplit(
        training=folder.subset(p for p, file in enumerate(folder.files) if file not in known),
        measured=folder.subset(order[count : 2 * count]),
        held_back=held_back,
    )


@dataclass(kw_only=True)
class Validation:
    """Measurements of one run; `history` holds a row of COLUMNS for each of them.

    Losses are means over batches of BATCH_SIZE images, weighted by their images.
    """

    trainer: Trainer
    training: ImageFolder
    held_back: ImageFolder
    history: list[tuple[float, ...]] = field(default_factory=list, init=False)

    def measure(self) -> None:
        """Add four rows for the averaged network as it is now."""
        for held_back, folder in enumerate((self.training, self.held_back)):
            for pruned, means in enumerate(self._means(folder)):
                self.history.append((self.trainer.done, held_back, pruned, *means))

    def _means(self, folder: ImageFolder) -> list[list[float]]:
        """Losses without and with pruning."""
        trainer, found = self.trainer, []
        for images, _ in folder.batches(trainer.teacher, BATCH_SIZE):
            moved = images.to(trainer.device)
            distances = trainer.distances(trainer.average.module, moved)
            means = torch.stack([parts.stacked() for parts in distances])
            found.append((len(images), (means * len(images)).cpu()))
        counts, sums = zip(*found, strict=True)
        return (torch.stack(sums).sum(dim=0) / sum(counts)).tolist()

    @property
    def frame(self) -> pd.DataFrame:
        """A row a measurement, with the names of its images and network."""
        frame = pd.DataFrame(self.history, columns=COLUMNS)
        images, network = (frame.pop(name) for name in ("held_back", "pruned"))
        frame.insert(1, "images", images.map({0: "training", 1: "held back"}))
        frame.insert(2, "network", network.map({0: "sparse", 1: "sparse + pruned"}))
        return frame

    def summary(self) -> pd.DataFrame:
        """Of the logits' loss for each network and kind of images: first, last, least, where."""
        frame = self.frame
        groups = frame.groupby(["network", "images"])["logits"]
        least = frame.loc[groups.idxmin()].set_index(["network", "images"])
        columns = {"first": groups.first(), "last": groups.last(), "least": least["logits"]}
        return pd.DataFrame({**columns, "least_at_step": least["step"]}).reset_index()

    @property
    def unreadable(self) -> list[LeftOut]:
        """Images that the last measurement left out."""
        return self.training.unreadable + self.held_back.unreadable
