"""The search itself on made-up plans, and whole searches on handwritten digits."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from model.data.digits import Split, write_folder
from model.data.image_folder import ImageFolder
from model.network.names import VIT_DIGITS, get_network, timm_of
from model.pruning.schedule import DEFAULT_SCHEDULE, ListedSchedule
from model.pruning.schedule_file import schedule_of
from model.reference.forward import FloatReference
from model.weights.files import as_bytes
from model.weights.load import load_model
from sim_models.schedule_search.losses import PruningLoss, with_drop
from sim_models.schedule_search.planning import Plan
from sim_models.schedule_search.search import Evaluated, best, most_evaluations, search


def ignore(_images: int) -> None:
    pass


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(Split.CALIBRATION, tmp_path_factory.mktemp("digits")).root


def made_up(losses: list[float], step: int = 1):
    """Plans that drop `step` tokens more each, what evaluates them, and what it evaluated.

    True losses are linear between two plans.
    """
    front = [Plan((99, 99 - step * i), 100.0 - i, 0.0) for i in range(len(losses))]
    calls = []

    def evaluate(schedule: ListedSchedule, plan: Plan | None) -> Evaluated:
        dropped = 99 - schedule.kept[1]
        calls.append(dropped)
        assert plan is None or plan.kept == schedule.kept
        loss = np.interp(dropped / step, range(len(losses)), losses)
        return Evaluated(schedule, 1000 - dropped, np.full(3, loss), plan)

    return front, evaluate, calls


@pytest.mark.parametrize("most", [0.0, 0.05, 0.5, 3.15, 9.0])
def test_search_finds_where_the_loss_is_passed(most: float):
    losses = [i / 10 for i in range(40)]
    front, evaluate, calls = made_up(losses)
    found = best(search(front, evaluate, most, ignore), most)
    assert found.cycles == 1000 - max(i for i, loss in enumerate(losses) if loss <= most)
    assert len(calls) == len(set(calls)) <= most_evaluations(front)


def test_search_goes_on_between_two_plans():
    """Plans 16 tokens apart; by 39 of them 0.3 nats are lost."""
    front, evaluate, calls = made_up([0, 0.1, 0.2, 0.39, 1.0], step=16)
    most = 0.2 + 0.19 * 7 / 16
    assert best(search(front, evaluate, most, ignore), most).cycles == 1000 - 39
    assert len(calls) <= most_evaluations(front)


def test_nothing_is_good_enough():
    front, evaluate, _ = made_up([0.2, 0.3])
    assert best(search(front, evaluate, 0.1, ignore), 0.1) is None


def test_losses_with_one_layer_changed_are_those_of_the_whole_network(folder: Path):
    """What continues from a layer's tokens equals a run from the image on."""
    masks = np.random.default_rng(1).random(VIT_DIGITS.mask_shape) < 0.6
    masks[..., 0] = True
    unpruned = FloatReference(network=VIT_DIGITS, model=load_model(VIT_DIGITS), masks=masks)
    images = ImageFolder(folder, 5)
    batches = [batch for batch, _ in images.batches(unpruned.model, 3)]
    losses = PruningLoss(unpruned, batches, ignore)
    assert losses.images == 5
    kept, drops = [49, 45, 35, 0], [[0, 3], [0, 20], [5, 40], [3]]
    measured = losses.around(kept, drops, ignore)
    expected = unpruned.forward(torch.cat(batches)).softmax(dim=1)
    for layer, row in enumerate(drops):
        for place, number in enumerate(row):
            changed = tuple(with_drop(kept, layer, number, VIT_DIGITS))
            pruned = replace(unpruned, schedule=ListedSchedule(kept=changed))
            found = pruned.forward(torch.cat(batches)).softmax(dim=1)
            by_hand = (expected * (expected / found).log()).sum(dim=1)
            assert measured[layer][place] == pytest.approx(by_hand.mean().item(), abs=1e-5)
            assert losses.of(pruned) == pytest.approx(by_hand.numpy(), abs=1e-5)
    # Nothing attends after the last layer's attention.
    base = losses.of(replace(unpruned, schedule=ListedSchedule(kept=tuple(kept))))
    assert measured[-1] == pytest.approx(base.mean(), abs=1e-6)
    assert measured[2][1] > 10 * base.mean() > 1e-4


@pytest.fixture
def search_schedule(command):
    """`search-schedule` for digits; the exit status."""
    return partial(command, "search-schedule", "--model", "vit_digits")


@pytest.mark.parametrize("masks", [(), ("--sparsity", 0.8)])
def test_found_schedule_costs_less_and_loses_no_more(search_schedule, folder, tmp_path, masks):
    words = ("--data", folder, "--limit", 24, "--held-back", 20, *masks)
    names = ("searched-*.json", "schedules.csv", "front.png", "front.svg")
    contents = []
    for out in (tmp_path / "first", tmp_path / "again"):
        assert search_schedule(*words, "--out", out) == 0
        contents.append([next(out.glob(name)).read_bytes() for name in names])
        assert len(list(out.iterdir())) == len(names)
    assert contents[0] == contents[1]

    (path,) = (tmp_path / "first").glob("*.json")
    found = schedule_of(str(path), VIT_DIGITS)
    table = pd.read_csv(tmp_path / "first" / "schedules.csv", keep_default_na=False)
    by_name = table.set_index("name")
    default = by_name.loc["default"]
    fitted = DEFAULT_SCHEDULE.fitted(VIT_DIGITS).kept_tokens(VIT_DIGITS)
    assert default["kept"] == " ".join(map(str, fitted))
    row = by_name.loc["found"]
    assert row["kept"] == " ".join(map(str, found.kept))
    assert row["cycles"] < default["cycles"]
    assert row["loss"] <= default["loss"] + 1e-6
    allowed = table[table["loss"] <= default["loss"] + 1e-6]
    assert row["cycles"] == allowed["cycles"].min()
    provenance = json.loads(path.read_text())["provenance"]
    assert provenance["cycles"] == row["cycles"]
    assert provenance["nats"] == pytest.approx(row["loss"])


def test_a_network_that_classifies_a_mean(command, folder, tmp_path):
    """The last layer leaves a patch at least, and which ones matters."""
    name = "vit_digits_patch4_28+class_token=false+global_pool=avg"
    weights = tmp_path / "mean.safetensors"
    torch.manual_seed(0)
    weights.write_bytes(as_bytes(timm_of(get_network(name)).create()))
    words = ("--data", folder, "--limit", 6, "--held-back", 0, "--weights", weights)
    out = tmp_path / "out"
    assert command("search-schedule", "--model", name, *words, "--out", out) == 0
    rows = pd.read_csv(out / "schedules.csv", keep_default_na=False)
    assert all(int(kept.split()[-1]) >= 1 for kept in rows["kept"])
    found, default = (rows[rows["name"] == kind].iloc[0] for kind in ("found", "default"))
    assert found["cycles"] < default["cycles"]
    assert found["loss"] <= default["loss"] + 1e-6


def test_allowed_loss(search_schedule, folder, tmp_path):
    """More may be lost, so that fewer cycles remain."""
    words = ("--data", folder, "--limit", 6, "--held-back", 0)
    cycles = []
    for loss in (0.01, 0.5):
        assert search_schedule(*words, "--loss", loss, "--out", tmp_path / str(loss)) == 0
        found = pd.read_csv(tmp_path / str(loss) / "schedules.csv").set_index("name").loc["found"]
        assert found["loss"] <= loss + 1e-6
        assert np.isnan(found["held_back_loss"])
        cycles.append(found["cycles"])
    assert cycles[0] > cycles[1]


def test_bad_input_is_one_line_and_no_file(search_schedule, folder, tmp_path, capsys):
    data, out = ("--data", folder), ("--out", tmp_path / "out")
    for words, message in (
        ((*data, "--near", "magic"), "unknown schedule 'magic'"),
        ((*data, "--near", "original-after-ffn"), "the hardware prunes after_attention"),
        ((*data, "--loss", -1), "loss = -1.0: expected more than 0 nats"),
        ((*data, "--limit", 190, "--held-back", 20), "20 images to hold back: "),
        ((*data, "--config", "tiny"), "vit_digits needs max_tokens = 50"),
        ((*data, "--model", "vgg"), "unknown model 'vgg'"),
        ((*data, "--masks", tmp_path / "no.npy"), "no mask file"),
        ((*data, "--sparsity", 0.5, "--strategy", "magic"), "unknown strategy"),
        (("--data", tmp_path / "none"), "is unreadable"),
        ((*data, "--weights", tmp_path / "no.pth"), "no weights file"),
    ):
        assert search_schedule(*words, *out) == 2, words
        printed = capsys.readouterr().err
        assert printed.startswith("error: ")
        assert message in printed
        assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
