"""Training images: a function of the seed and of their position in the run alone."""

import random

import pytest
import torch
from PIL import Image
from timm.data.auto_augment import RandAugment

from model.data.image_folder import ImageFolder
from model.finetune.crops import Crops, batches, crops_of
from model.finetune.recipe import Recipe
from model.tests.toy_training import RECIPE
from rtl_gen.errors import UserError

CPU = torch.device("cpu")


def test_crops_depend_on_their_position_alone(toy_model, image_folder):
    crops = crops_of(ImageFolder(image_folder), toy_model, RECIPE)
    state = random.getstate(), torch.get_rng_state()
    expected = [crops[position][0] for position in range(24)]
    assert random.getstate() == state[0]
    assert torch.equal(torch.get_rng_state(), state[1])
    assert expected[0].shape == (3, 32, 32)
    later = [images for images, _ in batches(crops, RECIPE, 4, 0, CPU)]
    assert torch.equal(torch.cat(later), torch.stack(expected[16:]))
    parallel = [images for images, _ in batches(crops, RECIPE, 0, 1, CPU)]
    assert torch.equal(torch.cat(parallel), torch.stack(expected))


def test_every_image_once_a_pass(image_folder):
    folder = ImageFolder(image_folder)
    crops = Crops(folder, lambda image: hash(image.tobytes()), seed=0)
    passes = [[crops[place][0] for place in range(start, start + 7)] for start in (0, 7)]
    assert len(set(passes[0])) == 7
    assert sorted(passes[0]) == sorted(passes[1])
    assert passes[0] != passes[1]


@pytest.mark.parametrize("limit", [1, None])
def test_every_crop_is_drawn_anew(image_folder, limit):
    """Of the same image in several passes, and of all images in two passes."""
    folder = ImageFolder(image_folder, limit)
    crops = Crops(folder, lambda _: (random.random(), torch.rand(())), seed=0)
    drawn = [values for position in range(14) for values in crops[position][0]]
    assert len({float(value) for value in drawn}) == 28


def test_full_augmentation(toy_model, image_folder):
    """Mixup and CutMix pair the images of a batch, the same way each time."""
    recipe = Recipe(**{**vars(RECIPE), "augmentation": "full"})
    crops = crops_of(ImageFolder(image_folder), toy_model, recipe)
    first, again = ([x for x, _ in batches(crops, recipe, 0, 0, CPU)] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    plain = torch.stack([crops[position][0] for position in range(4)])
    assert not torch.equal(first[0], plain)


def test_strongest_augmentations(toy_model, image_folder):
    """Every operation of RandAugment takes the largest magnitude that it may be given."""
    recipe = Recipe(**{**vars(RECIPE), "augmentation": "full"})
    crops = crops_of(ImageFolder(image_folder), toy_model, recipe)
    (augment,) = (step for step in crops.transform.transforms if isinstance(step, RandAugment))
    picture = Image.new("RGB", (32, 32), "teal")
    for operation in augment.ops:
        operation.prob, operation.magnitude, operation.magnitude_std = 1, 100, 0
        assert operation(picture).size == (32, 32)


def test_errors_of_a_transform_are_no_broken_picture(image_folder):
    def refuse(_):
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        Crops(ImageFolder(image_folder), refuse, seed=0)[0]


def test_unreadable_images_are_replaced(toy_model, image_folder):
    (image_folder / "007" / "0.png").write_bytes(b"no picture")
    crops = crops_of(ImageFolder(image_folder), toy_model, RECIPE)
    assert sum(crops[position][1] for position in range(7)) == 1
    for path in image_folder.rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(
        UserError, match=r"none of the 7 images .*png \(no picture of a known format"
    ):
        crops.check()
