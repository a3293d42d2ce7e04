"""The accuracy table: ranks and drops by hand, rows that are not run twice, and every bad input."""

import copy
import json
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

from model.data.image_folder import ImageFolder
from model.evaluation.evaluation import Subject, evaluate, variants
from model.evaluation.table import Row, over_all, to_frame
from model.files.finished_rows import FinishedRows, key_of
from model.masks.vitcod_file import write_masks
from model.network.names import DEIT_TINY
from model.network.shape import Network
from model.pruning.schedule import NO_PRUNING, ListedSchedule, PruningSchedule
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference
from model.reference.hits import rank_of
from model.weights.files import as_bytes
from model.weights.load import load_model

SCHEDULE = PruningSchedule(start=0.2, end=0.8, first_layer=1)


@pytest.fixture
def command(command):
    """`accuracy` on the command line."""
    return partial(command, "accuracy")


@contextmanager
def no_bar(*_):
    yield lambda _: None


@contextmanager
def forbidden(_, description: str):
    raise AssertionError(f"{description} is run again")
    yield


def test_drops():
    """Of ten images the base gets 8; the other loses three of them and wins one."""
    base = Row("dense", 0, pruned=False, arithmetic="float", ranks=[0] * 8 + [4, 7])
    other = Row("x", 0.5, pruned=True, arithmetic="int8", ranks=[0] * 5 + [1, 5, 9, 0, 7])
    frame = to_frame([base, other])
    assert frame.top1.tolist() == [80, 60]
    assert frame.top5.tolist() == pytest.approx([90, 70])
    assert frame["drop"].tolist() == pytest.approx([0, -20])
    changes = [0] * 5 + [-1] * 3 + [1, 0]
    mean = sum(changes) / 10
    variance = sum((change - mean) ** 2 for change in changes) / 9
    assert frame.drop_standard_error.tolist() == pytest.approx([0, 100 * (variance / 10) ** 0.5])


def test_integers_against_their_own_float_row():
    """Six images: int8 wins two of its own float row's misses and loses one hit."""
    rows = [
        Row("dense", 0, pruned=False, arithmetic="float", ranks=[0] * 6),
        Row("x", 0.5, pruned=False, arithmetic="float", ranks=[0] * 6),
        Row("x", 0.5, pruned=True, arithmetic="float", ranks=[0, 0, 3, 4, 5, 0]),
        Row("x", 0.5, pruned=True, arithmetic="int8", ranks=[0, 1, 0, 0, 5, 0]),
    ]
    frame = to_frame(rows)
    assert frame.against_float.isna().tolist() == [True] * 3 + [False]
    assert frame.against_float[3] == pytest.approx(100 / 6)
    variance = (3 - 6 * (1 / 6) ** 2) / 5
    assert frame.against_float_standard_error[3] == pytest.approx(100 * (variance / 6) ** 0.5)


def test_sets_of_images_apart_and_together():
    """Drops are counted from the base of the same set; together, every image counts once."""

    def rows(data: str, base: list[int], other: list[int]) -> list[Row]:
        made = partial(Row, pruned=False, arithmetic="float", data=data)
        return [made("dense", 0, ranks=base), made("x", 0.5, ranks=other)]

    sets = [rows("a", [0, 0], [0, 9]), rows("b", [0, 0, 0, 1, 2, 3], [0, 0, 1, 0, 0, 3])]
    frame = to_frame([*sets[0], *sets[1], *over_all(sets)])
    assert frame.data.tolist() == ["a", "a", "b", "b", "all", "all"]
    assert frame.images.tolist() == [2, 2, 6, 6, 8, 8]
    assert frame["drop"].tolist() == pytest.approx([0, -50, 0, 100 / 6, 0, 0])


def test_finished_rows_survive_a_kill(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    FinishedRows(path).add("a", {"ranks": [1]})
    with path.open("a") as file:
        file.write('{"key": "b", "ranks": [1, 2')
    rows = FinishedRows(path)
    assert rows.get("b") is None
    rows.add("c", {"ranks": [3]})
    again = FinishedRows(path)
    assert [again.get(key) for key in "abc"] == [
        {"key": "a", "ranks": [1]},
        None,
        {"key": "c", "ranks": [3]},
    ]


def test_key_depends_on_values_alone():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})


def test_rows(
    toy_network: Network, toy_model: VisionTransformer, image_folder: Path, tmp_path: Path
):
    """Every row against its own network, run alone; a second run evaluates nothing."""
    (image_folder / "007" / "1.png").write_text("no image")
    folder = ImageFolder(image_folder)
    masks = np.random.default_rng(3).random(toy_network.mask_shape) < 0.4
    masks[..., 0] = True
    dense = FloatReference(network=toy_network, model=toy_model)
    integers = quantise_network(dense, folder)
    tuned = copy.deepcopy(toy_model)
    torch.nn.init.normal_(tuned.head.weight, generator=torch.Generator().manual_seed(4))
    subjects = [
        Subject(label="dense", model=toy_model, integers=integers),
        Subject(label="random", model=toy_model, masks=masks, integers=integers),
        Subject(label="tuned", model=tuned, masks=masks),
    ]
    wanted = variants(toy_network, subjects, SCHEDULE)
    assert [(row.label, row.pruned, row.arithmetic) for row in wanted] == [
        (label, pruned, arithmetic)
        for arithmetic, labels in (
            ("float", ("dense", "random", "tuned")),
            ("int8", ("dense", "random")),
        )
        for label in labels
        for pruned in (False, True)
    ]
    path = tmp_path / "rows.jsonl"
    first = evaluate(folder, wanted, FinishedRows(path), batch_size=4, bar=no_bar)
    assert (first.reused, first.unreadable) == (0, ["007/1.png"])
    ((images, labels),) = ImageFolder(image_folder).batches(toy_model, 7)
    networks = product(
        ((toy_model, None), (toy_model, masks), (tuned, masks)), (NO_PRUNING, SCHEDULE)
    )
    for row, ((model, kept), schedule) in zip(first.rows, networks, strict=False):
        reference = FloatReference(network=toy_network, model=model, masks=kept, schedule=schedule)
        assert row.ranks == rank_of(reference.forward(images), labels).tolist()
    assert len({tuple(row.ranks) for row in first.rows}) > 2

    arguments = {"batch_size": 4, "bar": forbidden}
    again = evaluate(folder, wanted, FinishedRows(path), **arguments)
    assert again == type(first)(rows=first.rows, reused=10, unreadable=["007/1.png"])
    masks[0, 0, 3, 5] ^= True
    with pytest.raises(AssertionError, match=r"random, .* sparse, float is run again"):
        evaluate(folder, wanted, FinishedRows(path), **arguments)


def test_schedule_that_drops_nothing_has_no_row(toy_network, toy_model):
    """Whatever it is called, in a network of any depth."""
    shallow = replace(toy_network, layers=2)
    for network in (toy_network, shallow):
        kept = (network.patch_tokens,) * network.layers
        for schedule in (NO_PRUNING, ListedSchedule(kept=kept)):
            rows = variants(network, [Subject(label="dense", model=toy_model)], schedule)
            assert [(row.pruned, row.description) for row in rows] == [
                (False, "dense, 0% sparse, float")
            ]
        schedule = ListedSchedule(kept=(*kept[:-1], kept[-1] - 1))
        rows = variants(network, [Subject(label="dense", model=toy_model)], schedule)
        assert [row.pruned for row in rows] == [False, True]


def test_user_errors(command, tmp_path: Path, image_folder: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "results"
    data, float_only = ("--data", image_folder, "--out", out), "--no-integer"
    (tmp_path / "empty" / "n01440764").mkdir(parents=True)
    (tmp_path / "named" / "cats").mkdir(parents=True)
    (tmp_path / "named" / "cats" / "tom.jpg").touch()
    write_masks(tmp_path / "small.npy", np.ones((1, 1, 4, 4), dtype=bool))
    save_file(
        timm.create_model("deit_tiny_patch16_224").state_dict(), tmp_path / "tiny.safetensors"
    )
    small = (*data, float_only, "--model", "deit_small")
    for words, message in (
        (("--data", tmp_path / "empty"), "has no images: expected class folders"),
        (("--data", tmp_path / "named"), "cats: expected a wnid of ImageNet's 1,000 classes"),
        ((*data, "--masks", tmp_path / "small.npy", float_only), "expected (12, 3, 197, 197)"),
        ((*small, "--maps", "deit_tiny"), "expected (12, 6, 197, 197) for deit_small"),
        (small, "no measured attention maps of deit_small"),
        (
            (*small, "--calib", tmp_path / "empty"),
            "has no images",
        ),
        ((*data, "--calib", image_folder), "overlap: calibrate on other images"),
        ((*data, "--data", image_folder), "expected folders of different names"),
        ((*data, "--data", image_folder / "007"), "none inside another"),
        ((*data, "--data", tmp_path / "all", float_only), "none of them `all`"),
        ((*data, "--calib", image_folder / "007"), "overlap: calibrate on other images"),
        (data, "need calibration images (--calib) or a calibrated network (--network)"),
        (
            (*data, "--network", tmp_path / "n", "--finetuned", out),
            "int8 rows of a fine-tuning run need calibration images (--calib)",
        ),
        ((*data, float_only, "--finetuned", tmp_path), "has no network.safetensors: expected the"),
        ((*data, "--schedule", "original-after-ffn"), "the hardware prunes after_attention"),
        ((*data, float_only, "--schedule", "never"), "unknown schedule 'never'"),
        ((*data, float_only, "--sparsity", 80), "sparsity = 80"),
        ((*data, float_only, "--strategy", "magic"), "unknown strategy 'magic'"),
        ((*data, float_only, "--limit", 0), "limit = 0"),
    ):
        assert command(*words) == 2, words
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert message in captured.err
        assert captured.err.count("\n") == 1
    words = ("--weights", tmp_path / "tiny.safetensors", "--masks", tmp_path / "six.npy")
    write_masks(tmp_path / "six.npy", np.ones((12, 6, 197, 197), dtype=bool))
    assert command(*small, *words) == 2
    assert (
        "tiny.safetensors does not fit deit_small: tensor cls_token has shape"
        in capsys.readouterr().err
    )
    assert not list(out.glob("*.csv"))


def test_a_table_of_real_images(
    command, tmp_path: Path, real_weights: Path, real_images: Path, capsys: pytest.CaptureFixture
):
    """A copy of some images with a cut one: it is reported; a second run reuses all rows."""
    copy = tmp_path / "images"
    for path, _ in ImageFolder(real_images, limit=5).files:
        (copy / path.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / path.parent.name / path.name).write_bytes(path.read_bytes())
    bad = next(copy.glob("*/*"))
    bad.write_bytes(bad.read_bytes()[:3000])
    other = tmp_path / "others" / "n01440764"
    other.mkdir(parents=True)
    (other / "1.jpg").write_bytes(next(real_images.glob("*/*")).read_bytes())
    words = ("--weights", real_weights, "--data", copy, "--no-integer", "--sparsity", 0.5)
    out = tmp_path / "results"
    for reused in (0, 4):
        assert command(*words, "--out", out) == 0
        captured = capsys.readouterr()
        assert f"{reused} of 4 rows reused" in captured.out
        assert "1 of 5 images are unreadable and left out" in captured.err
        assert bad.name in captured.err
    table = pd.read_csv(out / f"{DEIT_TINY.name}.csv")
    assert table.images.tolist() == [4] * 4
    assert table.top1[0] >= 50
    document = json.loads((out / f"{DEIT_TINY.name}.json").read_text())
    assert document["settings"]["unreadable"] == [bad.relative_to(copy).as_posix()]
    assert len(document["rows"]) == 4

    run = tmp_path / "run"
    run.mkdir()
    (run / "network.safetensors").write_bytes(as_bytes(load_model(DEIT_TINY, real_weights)))
    write_masks(run / "masks.npy", np.ones(DEIT_TINY.mask_shape, dtype=bool))
    assert command(*words, "--out", out, "--data", other.parent) == 0
    assert "4 of 8 rows reused" in capsys.readouterr().out
    table = pd.read_csv(out / f"{DEIT_TINY.name}.csv")
    assert table.data.tolist() == [*["images"] * 4, *["others"] * 4, *["all"] * 4]
    assert table.images.tolist() == [*[4] * 4, *[1] * 4, *[5] * 4]

    assert command(*words, "--out", out, "--finetuned", run) == 0
    assert "4 of 6 rows reused" in capsys.readouterr().out
    table = pd.read_csv(out / f"{DEIT_TINY.name}.csv")
    assert table.masks.tolist()[-2:] == ["run"] * 2
    assert table.top1.tolist()[-2:] == table.top1.tolist()[:2]
