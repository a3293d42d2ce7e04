"""Held-back images: never trained on, measured beside as many that are, at every checkpoint."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch.nn import functional
from torchvision import transforms

from model.data.image_folder import ImageFolder, joined
from model.finetune.crops import crops_of
from model.finetune.validation import Validation, split
from model.reference.forward import FloatReference
from model.tests.toy_training import RECIPE, SCHEDULE
from rtl_gen.errors import UserError

HELD_BACK = 2


@pytest.fixture
def measured_run(new_run, toy_model, image_folder):
    """A run that holds back two of the seven images."""

    def make(name: str, **options):
        parts = split(ImageFolder(image_folder), HELD_BACK, RECIPE.seed)
        run = new_run(name, **options)
        run.crops = crops_of(parts.training, toy_model, RECIPE)
        run.validation = Validation(
            trainer=run.trainer, training=parts.measured, held_back=parts.held_back
        )
        return run

    return make


def names(folder: ImageFolder) -> set[str]:
    return {str(path) for path, _ in folder.files}


def test_split(image_folder: Path):
    folder = ImageFolder(image_folder)
    parts = split(folder, 3, seed=0)
    assert [len(part) for part in parts] == [4, 3, 3]
    assert names(parts.training).isdisjoint(names(parts.held_back))
    assert names(parts.training) | names(parts.held_back) == names(folder)
    assert names(parts.measured) < names(parts.training)
    assert parts.training.files == sorted(parts.training.files)
    assert names(split(folder, 3, seed=0).held_back) == names(parts.held_back)
    assert len({frozenset(names(split(folder, 3, seed).held_back)) for seed in range(8)}) > 3
    assert split(folder, 0, seed=0).training.files == folder.files
    with pytest.raises(UserError, match="4 of 7 images to hold back: expected at most 3"):
        split(folder, 4, seed=0)


def test_an_image_that_comes_twice_is_held_back_twice(image_folder: Path):
    folder = ImageFolder(image_folder)
    twice = joined([folder, folder])
    parts = split(twice, 3, seed=0)
    assert names(parts.held_back) == names(split(folder, 3, seed=0).held_back)
    assert [len(part) for part in parts] == [8, 3, 3]
    assert names(parts.training).isdisjoint(names(parts.held_back))
    assert names(parts.measured) < names(parts.training)
    with pytest.raises(UserError, match="4 of 7 images to hold back: expected at most 3"):
        split(twice, 4, seed=0)


def test_subset_is_a_folder_of_its_own(image_folder: Path, toy_model):
    folder = ImageFolder(image_folder)
    whole, part = folder.digest(), folder.subset([6, 0])
    assert part.files == [folder.files[0], folder.files[6]]
    assert len(folder) == 7
    assert part.digest() != whole == ImageFolder(image_folder).digest()
    folder.files[0][0].write_bytes(b"no picture")
    assert len(next(part.batches(toy_model, 7))[0]) == 1
    assert (len(part.unreadable), len(folder.unreadable)) == (1, 0)


def test_training_never_sees_what_is_held_back(measured_run, monkeypatch: pytest.MonkeyPatch):
    """Every file that is opened while steps are made."""
    run, opened = measured_run("run"), []
    monkeypatch.setattr(run.validation, "measure", lambda: None)
    monkeypatch.setattr(run, "_save", lambda: None)
    reader = Image.open
    monkeypatch.setattr(
        Image, "open", lambda path, **options: opened.append(str(path)) or reader(path, **options)
    )
    run.train(lambda _: None)
    assert len(opened) == 1 + RECIPE.steps * RECIPE.batch_size
    assert set(opened) == names(run.crops.folder)
    assert set(opened).isdisjoint(names(run.validation.held_back))


def test_measurements(measured_run, toy_network, toy_model, toy_masks):
    """KL divergence by hand, on pictures that are resized, cut and normalised by hand."""
    run = measured_run("run")
    for images in torch.randn(3, 4, 3, 32, 32, generator=torch.Generator().manual_seed(2)):
        run.trainer.step(images)
    run.validation.measure()
    transform = transforms.Compose(
        [
            transforms.Resize(36, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD),
        ]
    )
    dense = FloatReference(network=toy_network, model=toy_model)
    average = run.trainer.average.module
    sparse = FloatReference(network=toy_network, model=average, masks=toy_masks)
    pruned = FloatReference(network=toy_network, model=average, masks=toy_masks, schedule=SCHEDULE)
    expected = []
    for held_back, folder in enumerate((run.validation.training, run.validation.held_back)):
        images = torch.stack([transform(Image.open(path)) for path, _ in folder.files])
        p = functional.softmax(dense.forward(images).double(), dim=1).numpy()
        for network in (sparse, pruned):
            q = functional.softmax(network.forward(images).double(), dim=1).numpy()
            expected.append(
                (3, held_back, int(network is pruned), np.mean((p * np.log(p / q)).sum(1)))
            )
    assert [row[:3] for row in run.validation.history] == [row[:3] for row in expected]
    found = [row[3] for row in run.validation.history]
    assert found == pytest.approx([row[3] for row in expected], rel=1e-4)
    assert len(set(found)) == 4
    frame = run.validation.frame
    assert frame["images"].tolist() == ["training"] * 2 + ["held back"] * 2
    assert frame["network"].tolist() == ["sparse", "sparse + pruned"] * 2


def test_means_count_every_image_once(measured_run, monkeypatch: pytest.MonkeyPatch):
    """Batches of two images and of one: as one image a batch."""
    run = measured_run("run")
    run.validation.training = run.validation.held_back = run.crops.folder
    single = [run.crops.folder.subset([place]) for place in range(len(run.crops.folder))]
    monkeypatch.setattr("model.finetune.validation.BATCH_SIZE", 2)
    run.validation.measure()
    logits = [row[3] for row in run.validation.history[:2]]
    each = []
    for folder in single:
        run.validation.training = folder
        run.validation.measure()
        each.append([row[3] for row in run.validation.history[-4:-2]])
    assert len(single) == 5
    assert logits == pytest.approx(np.mean(each, axis=0).tolist(), rel=1e-4)


def test_measuring_changes_no_training(measured_run):
    runs = [measured_run("measured", checkpoint_every=1), measured_run("plain")]
    runs[1].validation = None
    for run in runs:
        run.train(lambda _: None)
    files = [run.folder / "network.safetensors" for run in runs]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not (runs[1].folder / "validation.csv").exists()


def test_resume_keeps_measurements(measured_run):
    """One before the first step and one at every checkpoint, whether or not the run stopped."""
    whole = measured_run("whole", checkpoint_every=2)
    whole.train(lambda _: None)

    def stop(_: float) -> None:
        if stopped.trainer.done == 3:
            raise KeyboardInterrupt

    stopped = measured_run("parts", checkpoint_every=2)
    with pytest.raises(KeyboardInterrupt):
        stopped.train(stop)
    continued = measured_run("parts", checkpoint_every=2)
    assert continued.resume() == 2
    continued.train(lambda _: None)
    for name in ("checkpoint.safetensors", "validation.csv", "curve.png"):
        assert (whole.folder / name).read_bytes() == (continued.folder / name).read_bytes(), name
    table = pd.read_csv(whole.folder / "validation.csv")
    assert table["step"].tolist() == [step for step in (0, 2, 4, 6) for _ in range(4)]
    losses = [row[3] for row in whole.validation.history]
    assert table["logits"].tolist() == pytest.approx(losses, 1e-5)


def test_no_measurements_of_an_earlier_run_stay(measured_run, new_run):
    measured_run("run").train(lambda _: None)
    again = new_run("run")
    assert (again.folder / "validation.csv").is_file()
    again.train(lambda _: None)
    assert not (again.folder / "validation.csv").exists()


def test_summary(measured_run):
    """Pruned, held back: falls, then rises again; the other three fall."""
    validation = measured_run("run").validation
    losses = {(0, 0): (5, 2, 1), (0, 1): (6, 3, 2), (1, 0): (5, 4, 3), (1, 1): (6, 4, 4.5)}
    for index, step in enumerate((0, 50, 100)):
        validation.history += [
            (step, *kind, values[index], 0, 0) for kind, values in losses.items()
        ]
    rows = validation.summary().set_index(["images", "network"])
    assert rows.loc["held back", "sparse + pruned"].tolist() == [6, 4.5, 4, 50]
    assert rows.loc["training", "sparse + pruned"].tolist() == [6, 2, 2, 100]
    assert rows.loc["held back", "sparse"].tolist() == [5, 3, 3, 100]
    assert len(rows) == 4


def test_command(command, image_folder: Path, tmp_path: Path, capsys, monkeypatch):
    """vit_digits on a few pictures: files, report, and what is refused."""
    out = tmp_path / "out"
    common = ("finetune", "--model", "vit_digits", "--data", image_folder, "--out", out)
    common += ("--batch-size", 8, "--no-bf16", "--steps", 1, "--threads", 1)
    assert command(*common, "--hold-back", 4) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: 4 of 7 images to hold back: expected at most 3")
    assert error.count("\n") == 1
    assert not out.exists()
    opened, reader = Counter(), Image.open
    monkeypatch.setattr(
        Image, "open", lambda path, **options: opened.update([str(path)]) or reader(path, **options)
    )
    assert command(*common, "--hold-back", 2) == 0
    for path in names(split(ImageFolder(image_folder), 2, seed=0).held_back):
        assert opened.pop(path) == len(("before the step", "after it"))
    assert len(opened) == 5
    assert "7 images (2 held back), steps 0 to 1" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    measured = pd.read_csv(out / "validation.csv").set_index(["network", "images"])
    assert report["settings"]["hold_back"] == 2
    assert len(report["validation"]) == 4
    for entry in report["validation"]:
        column = measured.loc[entry["network"], entry["images"]]["logits"].tolist()
        assert [entry["first"], entry["last"]] == pytest.approx(column, 1e-5)
    assert command(*common, "--hold-back", 3) == 2
    assert "its hold_back is 2, this run's 3" in capsys.readouterr().err
