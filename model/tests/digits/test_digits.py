"""Handwritten digits: the split, the training, and what the shipped network is said to reach."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image
from sklearn.datasets import load_digits

from model.attention.maps import average_attention, load_attention_maps
from model.data.digits import Split, held_back_digit, indices, write_folder
from model.digits.results import references, top1
from model.digits.train import DigitsRecipe, augment, train
from model.evaluation.integer_accuracy import compare
from model.integer.network import IntegerNetwork
from model.network.names import ASSETS, VIT_DIGITS
from model.program.choices import (
    chosen_picture,
    input_patches,
    integer_network,
    shipped_integers,
)
from model.pruning.hardware import prune_counts
from model.pruning.schedule import DEFAULT_SCHEDULE
from model.weights.files import HEADER
from model.weights.load import load_model
from rtl_gen.errors import UserError

WEIGHTS = ASSETS / "vit_digits.safetensors"

ONE_IMAGE = 1 / 500


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("digits")
    return {split: write_folder(split, root / split) for split in Split}


def test_split():
    labels = load_digits().target
    parts = {split: indices(split) for split in Split}
    assert [len(parts[split]) for split in Split] == [1100, 197, 500]
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1797))
    for part in parts.values():
        expected = np.bincount(labels) * len(part) / len(labels)
        assert np.abs(np.bincount(labels[part]) - expected).max() <= 1


def test_folder(folders):
    """Files carry scikit-learn's index and label, and grey levels in proportion to its values."""
    files = folders[Split.HELD_BACK].files
    assert len(files) == 500
    assert sorted(int(path.stem) for path, _ in files) == indices(Split.HELD_BACK).tolist()
    digits = load_digits()
    for path, label in files[::50]:
        index = int(path.stem)
        with Image.open(path) as image:
            levels = np.asarray(image).astype(float)
        assert label == digits.target[index]
        assert np.abs(levels / 255 - digits.images[index] / 16).max() <= 0.5 / 255


def test_held_back_digit():
    picture, label = held_back_digit(7)
    index = indices(Split.HELD_BACK)[7]
    assert label == load_digits().target[index]
    assert picture.size == (8, 8)
    for number in (-1, 500):
        with pytest.raises(UserError, match=f"digit {number}: expected a number from 0 to 499"):
            held_back_digit(number)


def test_picture_and_number_are_the_same_input(tmp_path: Path):
    held_back_digit(3)[0].save(tmp_path / "three.png")
    integers = integer_network(VIT_DIGITS, None, 0)
    by_number, by_file, first = (
        input_patches(integers, chosen_picture(VIT_DIGITS, source), 0)
        for source in ("digits:3", str(tmp_path / "three.png"), None)
    )
    assert by_number.shape == (1, 49, 48)
    assert torch.equal(by_number, by_file)
    assert not torch.equal(by_number, first)


def test_augmentation():
    """Nothing moves at strength 0; a whole-pixel shift is one; outside is blank."""
    images = torch.rand(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    still = DigitsRecipe(rotation=0, shift=0, scale=0, slant=0)
    same = augment(images, still, -1.0, torch.Generator())
    assert torch.allclose(same, images, atol=1e-5)
    moved = augment(images, DigitsRecipe(), -1.0, torch.Generator().manual_seed(2))
    assert moved.shape == images.shape
    assert (moved - images).abs().mean() > 0.1
    assert moved.min() == pytest.approx(-1.0)


def test_training(folders):
    """The loss falls, and the same seed gives the same weights."""
    recipe = DigitsRecipe(epochs=6, batch_size=12, warm_up_epochs=1)
    losses: list[float] = []
    images = folders[Split.CALIBRATION]
    first, second = (train(images, recipe, losses.append) for _ in range(2))
    assert losses[:6] == losses[6:]
    assert losses[5] < losses[0] - 0.05
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])


def test_shipped_float_network(folders):
    """Every accuracy that the file states, on the held-back digits."""
    assert WEIGHTS.stat().st_size < 600_000
    with safetensors.safe_open(WEIGHTS, framework="pt") as file:
        stated = json.loads(file.metadata()[HEADER])["held_back_top1"]
    model = load_model(VIT_DIGITS)
    maps = load_attention_maps(VIT_DIGITS.name).maps
    measured = top1(model, maps, folders[Split.HELD_BACK])
    assert measured == pytest.approx(stated, abs=2 * ONE_IMAGE)
    assert measured["dense"] >= 0.97
    assert measured["80% sparse, pruned"] >= 0.95


def test_shipped_maps_are_those_of_the_network(folders):
    """On a part of the training images, hence roughly."""
    maps = load_attention_maps(VIT_DIGITS.name)
    assert not maps.synthetic
    assert maps.metadata["images_sha256"] == folders[Split.TRAIN].digest()
    model = load_model(VIT_DIGITS)
    measured = average_attention(VIT_DIGITS, model, folders[Split.CALIBRATION], 64)
    assert np.abs(measured - maps.maps).max() < 0.05
    assert np.corrcoef(measured.ravel(), maps.maps.ravel())[0, 1] > 0.99


def test_shipped_integer_network(folders):
    """80 % sparse and pruned in integers, beside float."""
    integers = integer_network(VIT_DIGITS, None, 0)
    assert integers.metadata["images_sha256"] == folders[Split.CALIBRATION].digest()
    assert shipped_integers(VIT_DIGITS).stat().st_size < 300_000
    maps = load_attention_maps(VIT_DIGITS.name).maps
    forms = references(load_model(VIT_DIGITS), maps)
    result = compare(integers, forms["80% sparse, pruned"], folders[Split.HELD_BACK], 100)
    assert len(result.labels) == 500
    assert result.integer_top1 >= result.float_top1 - 0.01
    assert result.agreement > 0.97


def test_schedule_of_four_layers():
    """The first of four layers stays whole; 90 %, 70 % and 10 % of 49 patches are left, and CLS."""
    assert prune_counts(VIT_DIGITS, DEFAULT_SCHEDULE.fitted(VIT_DIGITS)) == [None, 45, 35, 6]


def test_commands(command, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """One epoch from the command line: files that the other commands take."""
    assert command("train-small", "--epochs", 1, "--seed", 3, "--out", tmp_path) == 0
    assert "seed 3" in capsys.readouterr().out
    load_model(VIT_DIGITS, tmp_path / "vit_digits.safetensors")
    assert load_attention_maps(tmp_path / "vit_digits.npz").maps.shape == VIT_DIGITS.mask_shape
    integers = IntegerNetwork.load(tmp_path / "vit_digits-int8.safetensors")
    assert integers.shape == VIT_DIGITS
    assert integers.metadata["recipe"]["seed"] == 3
