"""Runs of fine-tuning: stopped, continued, finished, judged."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from model.data.image_folder import ImageFolder
from model.finetune.evaluation import evaluate
from model.finetune.recipe import Recipe
from model.masks.vitcod_file import read_masks
from model.tests.toy_training import RECIPE
from rtl_gen.errors import UserError

CPU = torch.device("cpu")


def test_resume_equals_an_uninterrupted_run(new_run):
    whole = new_run("whole")
    whole.train(lambda _: None)

    def stop_after(steps: int):
        def progress(_: float) -> None:
            if stopped.trainer.done == steps:
                raise KeyboardInterrupt

        return progress

    stopped = new_run("parts", checkpoint_every=3)
    with pytest.raises(KeyboardInterrupt):
        stopped.train(stop_after(5))
    continued = new_run("parts")
    assert continued.resume() == 3
    continued.train(lambda _: None)
    for name in ("network.safetensors", "checkpoint.safetensors", "curve.csv", "curve.png"):
        assert (whole.folder / name).read_bytes() == (stopped.folder / name).read_bytes(), name
    weights = safetensors.torch.load_file(whole.folder / "network.safetensors")
    assert weights.keys() == whole.trainer.teacher.state_dict().keys()
    assert np.array_equal(read_masks(whole.folder / "masks.npy"), whole.trainer.masks)
    curve = pd.read_csv(whole.folder / "curve.csv")
    assert curve["step"].tolist() == list(range(6))
    assert curve["loss"].tolist() == pytest.approx([row[-1] for row in whole.trainer.history], 1e-5)


def test_seeds_differ(new_run):
    recipes = (RECIPE, Recipe(**{**vars(RECIPE), "seed": 1}))
    runs = [new_run(f"seed{recipe.seed}", recipe) for recipe in recipes]
    for each in runs:
        each.train(lambda _: None)
    assert runs[0].trainer.history != runs[1].trainer.history


def test_checkpoints_of_other_runs(new_run):
    first = new_run("run", Recipe(**{**vars(RECIPE), "steps": 1}))
    first.train(lambda _: None)
    path = first.folder / "checkpoint.safetensors"
    with pytest.raises(UserError, match="its steps is 1, this run's 6; choose the same settings"):
        new_run("run").resume()
    safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="is no checkpoint"):
        new_run("run").resume()
    path.write_text("text")
    with pytest.raises(UserError, match="is unreadable"):
        new_run("run").resume()


def test_evaluation(toy_model, image_folder):
    """Of seven images the second network loses two and wins one: drops pair image by image."""
    folder = ImageFolder(image_folder)
    labels = torch.tensor([label for _, label in folder.files]) % 10

    class Fixed:
        model = toy_model

        def __init__(self, wrong: list[int]):
            self._classes = labels.clone()
            self._classes[wrong] += 1

        def forward(self, _: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(self._classes, 11)

    networks = {"dense": Fixed([0]), "sparse": Fixed([1, 2])}
    seen = []
    result = evaluate(networks, folder, 7, CPU, seen.append)
    assert seen == [7]
    assert result["top1"].tolist() == pytest.approx([600 / 7, 500 / 7])
    assert result["drop"].tolist() == pytest.approx([0, -100 / 7])
    differences = [-1, 1, 1, 0, 0, 0, 0]
    error = 100 * np.std(differences, ddof=1) / 7**0.5
    assert result["drop_standard_error"].tolist() == pytest.approx([0, error])


def test_a_finished_run_is_left_alone(command, image_folder: Path, tmp_path: Path, capsys):
    """Called again it says so, in one line; only what is not finished is done."""
    out = tmp_path / "out"
    words = ("finetune", "--model", "vit_digits", *("--data", image_folder) * 2, "--limit", 2)
    words += ("--batch-size", 2, "--threads", 1, "--no-bf16", "--steps", 1, "--out", out)
    assert command(*words) == 0
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    assert out / "report.json" in before
    capsys.readouterr()
    assert command(*words) == 0
    captured = capsys.readouterr()
    assert captured.out == (
        f"{out} is finished, all 1 steps are done and nothing was changed: train further with "
        f"--start {out / 'network.safetensors'} and another --out, or anew with --fresh\n"
    )
    assert captured.err == ""
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    assert after == before
    (out / "report.json").unlink()
    assert command(*words) == 0
    assert json.loads((out / "report.json").read_text())["steps"] == 0
    assert command(*words, "--fresh") == 0
    assert json.loads((out / "report.json").read_text())["steps"] == 1


def test_a_run_begun_anew_has_no_report(new_run):
    """That of the run before it would pass for its own if it were stopped."""
    run = new_run("run")
    run.folder.mkdir()
    (run.folder / "report.json").write_text("{}")
    run.train(lambda _: None)
    assert not (run.folder / "report.json").exists()


def test_command(command, real_weights: Path, real_images: Path, tmp_path: Path, capsys):
    """One step of DeiT-Tiny, then bad input: one line, status 2, before any training."""
    common = ("finetune", "--weights", real_weights, "--data", real_images, "--limit", 2)
    common += ("--batch-size", 2, "--threads", 1, "--no-bf16", "--out", tmp_path / "out")
    assert command(*common, "--steps", 1) == 0
    assert "sparsity 0.8000, 2 images, steps 0 to 1, seed 0" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["settings"]["steps"] == 1
    assert command(*common, "--steps", 2) == 2
    assert "is of another run: its steps is 1" in capsys.readouterr().err


def test_user_errors(command, image_folder: Path, tmp_path: Path, capsys):
    (tmp_path / "none").mkdir()
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    np.save(tmp_path / "small.npy", np.zeros((1, 1, 4, 4), dtype=bool))
    start = ("finetune", "--out", tmp_path / "out", "--data")
    for words, message in (
        ((*start, tmp_path / "none"), "has no images"),
        ((*start, image_folder, "--weights", tmp_path / "other.pth"), "does not fit deit_tiny"),
        ((*start, image_folder, "--masks", tmp_path / "small.npy"), "expected (12, 3, 197, 197)"),
        ((*start, image_folder, "--eval", tmp_path / "none"), "has no images"),
        ((*start, image_folder, "--steps", 0), "steps = 0: expected at least 1"),
        ((*start, image_folder, "--device", "abacus"), "device 'abacus' is not available"),
        ((*start, image_folder, "--augmentation", "magic"), "augmentation"),
    ):
        assert command(*words) == 2, words
        errors = capsys.readouterr().err
        assert errors.startswith("error: ")
        assert message in errors
        assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()
