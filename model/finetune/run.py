"""A run and its folder.

network.safetensors      the result, for every command that takes --weights: a timm state dict with
                         the preprocessing of the dense network's weights
masks.npy                the masks that it was trained for, as a ViTCoD mask file
checkpoint.safetensors   what continues the run
curve.csv, curve.png     the losses of every step
validation.csv           those of held-back images at every checkpoint; in curve.png too
report.json              settings and measurements; the last file of a run that is finished
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from timm.models.vision_transformer import VisionTransformer

from model.files.csv_file import DIGITS, csv_bytes
from model.finetune import checkpoint, curve
from model.finetune.crops import Crops, batches
from model.finetune.trainer import Trainer
from model.finetune.validation import Validation
from model.masks.vitcod_file import read_masks, write_masks
from model.network.shape import Network
from model.weights.files import as_bytes
from model.weights.load import load_model
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file

NETWORK = "network.safetensors"
MASKS = "masks.npy"
VALIDATION = "validation.csv"
REPORT = "report.json"


def read_run(
    folder: Path, network: Network, stated: str | None = None
) -> tuple[VisionTransformer, np.ndarray]:
    """The result of a finished or stopped run: the network, and the masks that belong to it.

    `stated` is for weights that do not say their preprocessing: see `load_model`.
    """
    for name in (NETWORK, MASKS):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder} has no {name}: expected the folder of a fine-tuning run (make finetune)"
            )
    return load_model(network, folder / NETWORK, stated), read_masks(folder / MASKS, network)


@dataclass(kw_only=True)
class Run:
    """A trainer, its images and the folder that it writes.

    Attributes:
        settings: everything that decides on the result, as JSON values.
        checkpoint_every: steps between two checkpoints.
        validation: what is measured before the first step and at every checkpoint.
        unreadable: how often a broken picture was replaced by the next one.
    """

    trainer: Trainer
    crops: Crops
    folder: Path
    settings: dict[str, Any]
    checkpoint_every: int = 50
    workers: int = 0
    validation: Validation | None = None
    unreadable: int = 0

    def resume(self) -> int:
        """Continue from the folder's checkpoint, if it has one; returns the finished steps."""
        path = self.folder / "checkpoint.safetensors"
        if path.exists():
            checkpoint.resume(path, self.trainer, self.settings, self.validation)
        return self.trainer.done

    def train(self, progress: Callable[[float], object]) -> None:
        """The remaining steps and the run's files; `progress` gets the loss of every step."""
        trainer, recipe = self.trainer, self.trainer.recipe
        self.crops.check()
        if self.validation is not None and trainer.done == 0:
            self.validation.measure()
        write_masks(self.folder / MASKS, trainer.masks)
        (self.folder / REPORT).unlink(missing_ok=True)
        for images, unreadable in batches(
            self.crops, recipe, trainer.done, self.workers, trainer.device
        ):
            trainer.step(images)
            self.unreadable += unreadable
            progress(trainer.history[-1][-1])
            if trainer.done % self.checkpoint_every == 0 or trainer.done == recipe.steps:
                if self.validation is not None:
                    self.validation.measure()
                self._save()

    def _save(self) -> None:
        trainer, measured = self.trainer, None
        checkpoint.save(
            self.folder / "checkpoint.safetensors", trainer, self.settings, self.validation
        )
        files = {NETWORK: as_bytes(trainer.average.module)}
        if self.validation is not None:
            measured = self.validation.frame
            files[VALIDATION] = csv_bytes(measured, DIGITS)
        else:
            (self.folder / VALIDATION).unlink(missing_ok=True)
        frame = curve.to_frame(trainer.history)
        files["curve.csv"] = csv_bytes(frame, DIGITS)
        files["curve.png"] = curve.to_png(frame, f"Fine-tuning of {trainer.network.name}", measured)
        for name, contents in files.items():
            with replace_file(self.folder / name) as file:
                file.write(contents)
