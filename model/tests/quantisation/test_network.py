"""Calibration: the integers follow the float network, and every user error is one sentence."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from model.commands import integers
from model.commands.integers import calibrated_file
from model.data.image_folder import ImageFolder
from model.evaluation.integer_accuracy import Comparison, compare
from model.integer.network import IntegerNetwork
from model.network.names import ASSETS, DEIT_TINY
from model.network.shape import Network
from model.pruning.hardware import kept_after_attention
from model.pruning.schedule import NO_PRUNING, READINGS, PruningSchedule
from model.quantisation.network import quantise_network
from model.quantisation.samples import collect
from model.reference.forward import FloatReference
from rtl_gen.errors import UserError

PRUNES = PruningSchedule(start=0.1, end=0.5, first_layer=2)


@pytest.mark.parametrize(
    ("masked", "schedule"),
    [
        (False, NO_PRUNING),
        (True, NO_PRUNING),
        (False, PRUNES),
    ],
)
def test_integers_follow_float(
    toy_network: Network,
    toy_model: VisionTransformer,
    toy_masks: np.ndarray,
    image_folder: Path,
    *,
    masked: bool,
    schedule: PruningSchedule,
):
    """Coarsely: the toy's attention is nearly one-hot, which makes much of rounded scores."""
    folder = ImageFolder(image_folder)
    reference = FloatReference(
        network=toy_network,
        model=toy_model,
        masks=toy_masks if masked else None,
        schedule=schedule,
    )
    done = []
    integer = quantise_network(reference, folder, batch_size=3, progress=done.append)
    assert done == [3, 3, 1]
    assert integer.shape == toy_network
    result = compare(integer, reference, folder, batch_size=4)
    assert result.actual.shape == result.expected.shape == (7, toy_network.classes)
    assert result.sqnr > 12


def test_calibration_is_repeatable(
    toy_network: Network, toy_model: VisionTransformer, image_folder: Path
):
    reference = FloatReference(network=toy_network, model=toy_model)
    first, second = (
        quantise_network(reference, ImageFolder(image_folder), batch_size=7) for _ in range(2)
    )
    assert first.digest() == second.digest()


def test_batches_choose_no_rows(
    toy_network: Network, toy_model: VisionTransformer, toy_masks: np.ndarray, image_folder: Path
):
    """The same rows of every tensor, whatever the size of a batch; another seed, others."""

    def rows(batch_size: int, seed: int = 0) -> dict[str, torch.Tensor]:
        reference = FloatReference(
            network=toy_network, model=toy_model, masks=toy_masks, schedule=PRUNES
        )
        batches = (images for images, _ in ImageFolder(image_folder).batches(toy_model, batch_size))
        found = collect(toy_network, toy_model, reference.forward, batches, seed)
        return {name: each.rows for name, each in found.items()}

    one, some, other = rows(1), rows(4), rows(4, seed=1)
    for name, wanted in one.items():
        torch.testing.assert_close(some[name], wanted, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(other["blocks.1.norm1"], one["blocks.1.norm1"])


def test_images_are_read_once_to_name_a_calibration(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    """Once for their hash in both the file's name and its contents; the file is found again."""
    monkeypatch.setattr(integers, "CALIBRATED", tmp_path / "int8")
    read, opened = Counter(), Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, *how, **more: read.update([str(path)]) or opened(path, *how, **more),
    )
    choices = ("vit_digits", ASSETS / "vit_digits.safetensors", image_folder, None)
    file = calibrated_file(*choices)
    pictures = [str(path) for path in image_folder.rglob("*.png")]
    assert [read[path] for path in pictures] == [1] * 7
    digest = IntegerNetwork.load(file).metadata["images_sha256"]
    assert digest == ImageFolder(image_folder).digest()
    assert calibrated_file(*choices) == file
    assert capsys.readouterr().out.count("calibrating") == 1


def test_ranges_that_no_integers_fit(
    toy_network: Network, toy_model: VisionTransformer, image_folder: Path
):
    with torch.no_grad():
        toy_model.blocks[0].attn.qkv.weight *= 1e12
    reference = FloatReference(network=toy_network, model=toy_model)
    with pytest.raises(UserError, match=r"do not fit the integers.*expected trained weights"):
        quantise_network(reference, ImageFolder(image_folder))


def test_comparison_counts_images():
    labels = torch.tensor([0, 1, 2, 2])
    expected = torch.eye(3)[[0, 1, 2, 0]]
    actual = torch.eye(3)[[0, 2, 2, 2]]
    result = Comparison(labels, expected, actual)
    assert (result.float_top1, result.integer_top1) == (0.75, 0.75)
    assert (result.lost, result.won, result.agreement) == (1, 1, 0.5)
    assert result.sqnr == pytest.approx(0.0)


def test_only_schedules_that_hardware_runs():
    default = kept_after_attention(READINGS["original-after-attention"], DEIT_TINY)
    assert default == [197] * 3 + [177, 171, 163, 152, 138, 120, 95, 63, 21]
    for reading in ("original-before-layer", "original-after-ffn"):
        with pytest.raises(UserError, match="the hardware prunes after_attention"):
            kept_after_attention(READINGS[reading], DEIT_TINY)


def test_user_errors(command, tmp_path: Path, image_folder: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "network"
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no weights")
    for words, message in (
        (("quantise", "--data", tmp_path / "nowhere", "--out", out), "is unreadable"),
        (("quantise", "--data", image_folder, "--images", 0, "--out", out), "at least one image"),
        (("quantise", "--data", image_folder, "--weights", bad, "--out", out), "is unreadable"),
        (("quantise", "--model", "vgg", "--data", image_folder, "--out", out), "unknown model"),
        (("integer-accuracy", out, "--data", image_folder), "no integer network"),
        (("integer-accuracy", bad, "--data", image_folder), "is unreadable"),
    ):
        assert command(*words) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert message in error
        assert error.count("\n") == 1
        assert not out.exists()


def test_real_network(
    command, real_weights: Path, real_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """DeiT-Tiny, calibrated on a few images, on others: a coarse guard of the whole flow."""
    file = tmp_path / "deit_tiny"
    source = ("--weights", real_weights, "--data", real_images)
    assert command("quantise", *source, "--images", 24, "--out", file) == 0
    assert IntegerNetwork.load(file).metadata["images"] == 24
    assert command("integer-accuracy", file, *source, "--limit", 7) == 0
    decibels = capsys.readouterr().out.rsplit("logits ", 1)[1].split()[0]
    assert float(decibels) > 15
