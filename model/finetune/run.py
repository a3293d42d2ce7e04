"""A run and its folder.

network.safetensors      the result: a timm state dict, for every command that takes --weights
masks.npy                the masks that it was trained for, as a ViTCoD mask file
checkpoint.safetensors   what continues the run
curve.csv, curve.png     the losses of every step
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch

from model.files import replace_file
from model.finetune import checkpoint, curve
from model.finetune.crops import Crops, batches
from model.finetune.trainer import Trainer
from model.vitcod_io import write_masks


@dataclass(kw_only=True)
class Run:
    """A trainer, its images and the folder that it writes.

    Attributes:
        settings: everything that decides on the result, as JSON values.
        checkpoint_every: steps between two checkpoints.
        unreadable: how often a broken picture was replaced by the next one.
    """

    trainer: Trainer
    crops: Crops
    folder: Path
    settings: dict[str, Any]
    checkpoint_every: int = 50
    workers: int = 0
    unreadable: int = 0

    def resume(self) -> int:
        """Continue from the folder's checkpoint, if it has one; returns the finished steps."""
        path = self.folder / "checkpoint.safetensors"
        if path.exists():
            checkpoint.resume(path, self.trainer, self.settings)
        return self.trainer.done

    def train(self, progress: Callable[[float], object]) -> None:
        """The remaining steps and the run's files; `progress` gets the loss of every step."""
        trainer, recipe = self.trainer, self.trainer.recipe
        self.crops.check()
        write_masks(self.folder / "masks.npy", trainer.masks)
        for images, unreadable in batches(
            self.crops, recipe, trainer.done, self.workers, trainer.device
        ):
            trainer.step(images)
            self.unreadable += unreadable
            progress(trainer.history[-1][-1])
            if trainer.done % self.checkpoint_every == 0 or trainer.done == recipe.steps:
                self._save()

    def _save(self) -> None:
        checkpoint.save(self.folder / "checkpoint.safetensors", self.trainer, self.settings)
        frame = curve.to_frame(self.trainer.history)
        network = self.trainer.network.name
        for name, contents in (
            (
                "network.safetensors",
                safetensors.torch.save(self.trainer.average.module.state_dict()),
            ),
            ("curve.csv", curve.to_csv(frame)),
            ("curve.png", curve.to_png(frame, f"Fine-tuning of {network}")),
        ):
            with replace_file(self.folder / name) as file:
                file.write(contents)
