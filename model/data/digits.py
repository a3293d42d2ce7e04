"""Handwritten digits as image folders: train, calibration, held back.

The 1,797 grey images of 8 x 8 pixels that scikit-learn carries (`load_digits`; the test part of the
UCI data set "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, 1998). Values 0
to 16 become grey levels 0 to 255, white on black. A split takes each class in proportion; people
who wrote the digits appear in all of them.
"""

from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from model.data.image_folder import ImageFolder
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file

SPLIT_SEED = 0
CALIBRATION_IMAGES = 197
HELD_BACK_IMAGES = 500

LARGEST = 16
"""Value of a wholly inked pixel."""


class Split(StrEnum):
    """What each image is for; the shipped weights have seen `TRAIN` alone."""

    TRAIN = "train"
    """Training, and the averaged attention maps."""
    CALIBRATION = "calibration"
    """Ranges of the integers, and choices of the training recipe."""
    HELD_BACK = "held-back"
    """Accuracy, nothing else."""


@cache
def _digits() -> Bunch:
    return load_digits()


def indices(split: Split) -> np.ndarray:
    """Indices of a split's images in scikit-learn's order, ascending."""
    labels = _digits().target
    rest, held_back = train_test_split(
        np.arange(len(labels)),
        test_size=HELD_BACK_IMAGES,
        stratify=labels,
        random_state=SPLIT_SEED,
    )
    train, calibration = train_test_split(
        rest, test_size=CALIBRATION_IMAGES, stratify=labels[rest], random_state=SPLIT_SEED
    )
    members = {
        Split.TRAIN: train,
        Split.CALIBRATION: calibration,
        Split.HELD_BACK: held_back,
    }
    return np.sort(members[split])


def picture(index: int) -> Image.Image:
    """The image of an index in scikit-learn's order, grey, 8 x 8."""
    levels = np.rint(_digits().images[index] * (255 / LARGEST))
    return Image.fromarray(levels.astype(np.uint8))


def held_back_digit(number: int) -> tuple[Image.Image, int]:
    """Image and label of one of the held-back digits, counted from 0."""
    members = indices(Split.HELD_BACK)
    if not 0 <= number < len(members):
        raise UserError(
            f"digit {number}: expected a number from 0 to {len(members) - 1}, "
            "which counts the held-back digits"
        )
    index = members[number]
    return picture(index), int(_digits().target[index])


def write_folder(split: Split, root: Path) -> ImageFolder:
    """Write the images of a split as `root/<class>/<index>.png`, and open them as a folder."""
    labels = _digits().target
    for index in indices(split):
        with replace_file(root / str(labels[index]) / f"{index:04}.png") as file:
            picture(index).save(file, format="PNG")
    return ImageFolder(root)
