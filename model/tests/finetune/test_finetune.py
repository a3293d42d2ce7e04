"""Fine-tuning of a toy network: what learns, what stays fixed, and runs that continue."""

import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image
from timm.data.auto_augment import RandAugment

from model.data.image_folder import ImageFolder
from model.finetune.crops import Crops, batches, crops_of
from model.finetune.distillation import losses, passage, relative_error
from model.finetune.evaluation import evaluate
from model.finetune.recipe import Recipe
from model.masks.vitcod_file import read_masks
from model.reference.forward import FloatReference
from model.tests.toy_training import RECIPE, SCHEDULE
from rtl_gen.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(7))


def test_steps_lower_the_loss(toy_network, toy_model, new_trainer, images):
    before = {name: value.clone() for name, value in toy_model.state_dict().items()}
    recipe = Recipe(**{**vars(RECIPE), "steps": 24, "warmup": 0.1})
    trainer = new_trainer(recipe)
    for _ in range(recipe.steps):
        trainer.step(images)
    history = pd.DataFrame([row[1:] for row in trainer.history])
    for _, rows in history.groupby(0):
        assert rows[5].iloc[-1] < 0.7 * rows[5].iloc[0]
    assert history[0].mean() == recipe.prune_share
    assert history[1].idxmax() == 1
    assert all(torch.equal(value, before[name]) for name, value in toy_model.state_dict().items())
    averaged = trainer.reference(trainer.average.module, pruned=True)
    untrained = trainer.reference(toy_model, pruned=True)
    wanted = passage(FloatReference(network=toy_network, model=toy_model), images)
    with torch.no_grad():
        distances = [losses(passage(r, images), wanted).logits for r in (averaged, untrained)]
    assert distances[0] < 0.7 * distances[1]


@pytest.mark.parametrize("pruned", [False, True])
def test_masks_stay_fixed(toy_network, toy_masks, new_trainer, images, pruned):
    """Dropped entries: exactly no attention, as many survivors as the schedule says."""
    kept = toy_masks.copy()
    trainer = new_trainer()
    for _ in range(3):
        trainer.step(images)
    traces = []
    trainer.reference(trainer.student, pruned=pruned).forward(images, traces.append)
    expected = [count.attention for count in SCHEDULE.layer_tokens(toy_network)]
    assert [trace.live.shape[1] for trace in traces] == (expected if pruned else [17] * 4)
    for trace in traces:
        for index, live in enumerate(trace.live.numpy()):
            dropped = ~kept[trace.layer][:, live][:, :, live]
            found = trace.probabilities[index].numpy()
            assert (found[dropped] == 0).all()
            assert (found[~dropped] > 0).all()


def test_gradients_flow_through_survivors(toy_network, toy_model, toy_masks, images):
    """The slope along a direction in the weights, from the loss at both sides of it."""
    student = toy_model.double().requires_grad_(True)
    reference = FloatReference(
        network=toy_network, model=student, masks=toy_masks, schedule=SCHEDULE
    )
    weight = student.blocks[1].attn.qkv.weight
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)).double()
    images = images.double()
    reference.differentiable(images).square().mean().backward()
    slope = (weight.grad * direction).sum().item()
    sides = []
    for distance in (1e-6, -2e-6):
        with torch.no_grad():
            weight += distance * direction
        sides.append(reference.forward(images).square().mean().item())
    assert slope == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-4)


def test_rows_that_keep_nothing_have_finite_gradients(toy_network, toy_model, toy_masks, images):
    toy_masks[2:, :, :, :] = False
    toy_masks[2:, :, :, 5] = True
    student = toy_model.requires_grad_(True)
    reference = FloatReference(
        network=toy_network, model=student, masks=toy_masks, schedule=SCHEDULE
    )
    traces = []
    reference.differentiable(images, traces.append).square().mean().backward()
    assert (traces[-1].probabilities.sum(dim=-1) == 0).any()
    assert all(torch.isfinite(value.grad).all() for value in student.parameters())


def test_losses(toy_network, toy_model, toy_masks, images):
    """Against sums over the survivors, one by one, in NumPy."""
    dense = FloatReference(network=toy_network, model=toy_model)
    pruned = FloatReference(
        network=toy_network, model=toy_model, masks=toy_masks, schedule=SCHEDULE
    )
    with torch.no_grad():
        wanted, found = passage(dense, images), passage(pruned, images)
        result = losses(found, wanted)
    layers = []
    for tokens, live, base in zip(found.hidden, found.live, wanted.hidden, strict=True):
        pairs = [
            (tokens[image, place].numpy(), base[image, token].numpy())
            for image in range(4)
            for place, token in enumerate(live[image].tolist())
        ]
        squares = np.mean([np.mean((a - b) ** 2) for a, b in pairs])
        layers.append(squares / np.mean([np.var(b, ddof=1) for _, b in pairs]))
    assert layers[0] == 0
    assert result.hidden.item() == pytest.approx(np.mean(layers[1:]), rel=1e-4)
    p, q = (np.exp(x.logits.double().numpy()) for x in (wanted, found))
    p, q = (x / x.sum(axis=1, keepdims=True) for x in (p, q))
    assert result.logits.item() == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-4)
    torch.testing.assert_close(toy_model.head(wanted.feature), wanted.logits)


def test_relative_error():
    wanted = torch.tensor([[1.0, 3.0], [0.0, 4.0]])
    assert relative_error(wanted + 2, wanted).item() == pytest.approx(4 / ((2 + 8) / 2))


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


def test_loss_that_is_no_number(new_trainer, images):
    trainer = new_trainer()
    with pytest.raises(UserError, match="losses of step 0: 4 of 4 values are not finite"):
        trainer.step(images * torch.nan)


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


def test_pruning_steps_are_spread():
    recipe = Recipe(prune_share=0.75)
    assert [recipe.prunes(step) for step in range(8)] == [False, True, True, True] * 2
    assert not any(Recipe(prune_share=0.0).prunes(step) for step in range(8))
    assert all(Recipe(prune_share=1.0).prunes(step) for step in range(8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps = 0: expected at least 1"),
        ({"learning_rate": -1.0}, "learning_rate = -1.0: expected a number above 0"),
        ({"warmup": 1.0}, "warmup = 1.0"),
        ({"prune_share": 2.0}, "prune_share = 2.0: expected a fraction"),
        ({"augmentation": "magic"}, "augmentation = 'magic': expected one of crop, full"),
        ({"augmentation": "full", "batch_size": 3}, "batch_size = 3: expected an even number"),
    ],
)
def test_bad_recipes(changes: dict, message: str):
    with pytest.raises(UserError, match=message):
        Recipe(**changes)


def test_settings_of_a_recipe_fit_json():
    assert json.loads(json.dumps(vars(RECIPE))) == vars(RECIPE)


def test_a_finished_run_is_left_alone(command, image_folder: Path, tmp_path: Path, capsys):
    """Called again it says so, in one line; only what is not finished is done."""
    out = tmp_path / "out"
    words = ("finetune", "--model", "vit_digits", "--data", image_folder, "--limit", 2)
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
