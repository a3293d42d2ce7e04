"""Augmented training images, a function of the seed and of their position in the run alone.

So a resumed run sees what an uninterrupted one sees, with any number of loader workers.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from timm.data import Mixup, create_transform
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from model.data.image_folder import ImageFolder
from model.data.pictures import PictureError, open_picture
from model.data.preprocessing import picture_settings
from model.finetune.recipe import Augmentation, Recipe
from rtl_gen.errors import UserError

_TRANSFORMS: dict[Augmentation, dict[str, Any]] = {
    Augmentation.CROP: {"scale": (0.4, 1.0), "color_jitter": None},
    Augmentation.FULL: {
        "color_jitter": 0.3,
        "auto_augment": "rand-m9-mmax9-mstd0.5-inc1",
        "re_prob": 0.25,
        "re_mode": "pixel",
    },
}
_MIXUP = {"mixup_alpha": 0.8, "cutmix_alpha": 1.0}
"""Magnitudes of `FULL`: Touvron et al., ICML 2021, table 9. RandAugment's are cut at 9: from 10 on
timm asks for pictures of 0 bits, which Pillow refuses."""


@dataclass
class Crops(Dataset):
    """Endless shuffled passes over a folder; item p is (float (3, h, w), unreadable files met).

    An unreadable file is replaced by the next one of the folder.
    """

    folder: ImageFolder
    transform: Callable[[Image.Image], Tensor]
    seed: int
    _pass: int = field(default=-1, init=False)
    _order: np.ndarray = field(init=False)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        number, place = divmod(position, len(self.folder))
        if number != self._pass:
            order = np.random.default_rng((self.seed, number)).permutation(len(self.folder))
            self._pass, self._order = number, order
        files = self.folder.files
        with seeded(self.seed, position):
            for skipped in range(len(files)):
                path, _ = files[(self._order[place] + skipped) % len(files)]
                try:
                    picture = open_picture(path)
                except PictureError as error:
                    reason = error.reason
                    continue
                return self.transform(picture), skipped
        raise UserError(
            f"none of the {len(files)} images in {self.folder.root} can be read: {path} ({reason})"
        )

    def check(self) -> None:
        """Raise UserError if no image can be read, in this process and before any work."""
        self[0]


def crops_of(folder: ImageFolder, model: nn.Module, recipe: Recipe) -> Crops:
    """The training images of a recipe, as a model expects them."""
    config = picture_settings(model)
    transform = create_transform(**config, is_training=True, **_TRANSFORMS[recipe.augmentation])
    return Crops(folder, transform, recipe.seed)


def batches(
    crops: Crops, recipe: Recipe, first_step: int, workers: int, device: torch.device
) -> Iterator[tuple[Tensor, int]]:
    """For each step from the first: images (b, 3, h, w) on the device, unreadable files met."""
    positions = [
        list(range(step * recipe.batch_size, (step + 1) * recipe.batch_size))
        for step in range(first_step, recipe.steps)
    ]
    loader = DataLoader(
        crops,
        batch_sampler=positions,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )
    mixup = Mixup(**_MIXUP) if recipe.augmentation == Augmentation.FULL else None
    for step, (images, skipped) in enumerate(loader, start=first_step):
        moved = images.to(device, non_blocking=True)
        if mixup is not None:
            with seeded(recipe.seed, step):
                moved, _ = mixup(moved, torch.zeros(len(moved), dtype=torch.int64, device=device))
        yield moved, int(skipped.sum())


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Python's, NumPy's and PyTorch's own random numbers, seeded inside the block only."""
    python, numpy, pytorch = np.random.SeedSequence(seed).generate_state(3).tolist()
    saved = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            random.seed(python)
            np.random.seed(numpy)
            torch.manual_seed(pytorch)
            yield
    finally:
        random.setstate(saved[0])
        np.random.set_state(saved[1])
