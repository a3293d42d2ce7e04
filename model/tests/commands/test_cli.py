"""What the commands write, and one line with status 2 for every user error."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from model.attention.maps import load_attention_maps
from model.masks.strategies import make_masks
from model.masks.vitcod_file import read_masks, write_masks


def test_masks(command, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "mask.npy"
    assert command("masks", "--model", "deit_tiny", "--sparsity", 0.8, "--out", out) == 0
    assert "measured maps of deit_tiny, vitcod, sparsity 0.800000" in capsys.readouterr().out
    expected = make_masks(load_attention_maps("deit_tiny").maps, 0.8, prefix=1)
    assert np.array_equal(read_masks(out), expected)
    learned = ("--strategy", "learned", "--out", tmp_path / "learned.npy")
    assert command("masks", "--model", "deit_tiny", "--sparsity", 0.8, *learned) == 0
    assert "deit_tiny, learned, sparsity 0.800000" in capsys.readouterr().out
    assert read_masks(tmp_path / "learned.npy")[-1, :, 1:, 1:].sum() <= 3 * 196
    assert command("inspect-mask", out, "--model", "deit_tiny") == 0
    table = capsys.readouterr().out
    assert "sparsity 0.8000" in table
    assert len([line for line in table.splitlines() if line.count("%") == 3]) == 12
    assert command("polarise", out, "--out", tmp_path / "order.npz") == 0
    with np.load(tmp_path / "order.npz") as archive:
        assert archive["order"].shape == (12, 3, 197)


def test_synthetic(command, tmp_path: Path, capsys: pytest.CaptureFixture):
    maps, mask, qkv = tmp_path / "maps.npz", tmp_path / "mask.npy", tmp_path / "qkv.npz"
    assert command("synthetic-maps", "--model", "deit_small", "--out", maps) == 0
    assert command("masks", "--maps", maps, "--sparsity", 0.5, "--out", mask) == 0
    assert "synthetic maps of deit_small" in capsys.readouterr().out
    words = ("--model", "deit_tiny", "--layer", 3, "--head", 1, "--out", qkv)
    assert command("synthetic-qkv", *words) == 0
    with np.load(qkv) as archive:
        assert {name: archive[name].shape for name in archive} == dict.fromkeys("qkv", (197, 64))


def test_wipe(command, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert command("wipe", "--config", "tiny", "--out", tmp_path) == 0
    data = (tmp_path / "tiny.bin").read_bytes()
    assert f"{len(data):,} bytes" in capsys.readouterr().out
    contents = json.loads((tmp_path / "tiny.json").read_text())
    assert data[:4] == b"SVIT"
    assert contents["image_bytes"] == contents["memory_bytes"] == len(data)
    assert contents["stored"] == []
    assert command("wipe", "--config", "huge") == 2
    assert "unknown preset 'huge'" in capsys.readouterr().err


def test_schedule(command, capsys: pytest.CaptureFixture):
    assert command("schedule", "--schedule", "original-after-ffn") == 0
    last = capsys.readouterr().out.splitlines()[-2]
    assert [word for word in last.split() if word.isdigit()] == ["11", "63", "63", "21"]


def test_user_errors(command, tmp_path: Path, image_folder: Path, capsys: pytest.CaptureFixture):
    out, images, bad = tmp_path / "out.npy", ("--data", image_folder), tmp_path / "bad.npy"
    masks = ("masks", "--out", out, "--sparsity")
    maps = ("attention-maps", "--out", tmp_path / "out.npz")
    (tmp_path / "none").mkdir()
    bad.write_text("text")
    torch.save({"x": torch.zeros(1)}, tmp_path / "w.pth")
    write_masks(tmp_path / "small.npy", np.ones((1, 1, 4, 4), dtype=bool))
    for words, message in (
        ((*masks, 0.5, "--model", "vit_huge"), "unknown model 'vit_huge'"),
        ((*masks, 1.5, "--model", "deit_tiny"), "sparsity = 1.5"),
        ((*masks, 0.5, "--model", "deit_tiny", "--strategy", "magic"), "unknown strategy"),
        ((*masks, 0.5), "--model or --maps"),
        ((*masks, 0.5, "--maps", bad), "are unreadable"),
        (("masks", "--model", "deit_tiny", "--sparsity", 0.5, "--out", "m.txt"), "ends in .npy"),
        (("inspect-mask", bad), "unreadable"),
        (("inspect-mask", tmp_path / "small.npy", "--model", "deit_tiny"), "expected (12, 3,"),
        (("schedule", "--schedule", "magic"), "unknown schedule"),
        ((*maps, "--data", tmp_path / "absent"), "is unreadable"),
        ((*maps, "--data", tmp_path / "none"), "has no images"),
        ((*maps, *images, "--weights", tmp_path / "w.pth"), "does not fit deit_tiny"),
        ((*maps, *images, "--weights", bad), "is unreadable"),
        (
            ("synthetic-qkv", "--model", "deit_tiny", "--layer", 12, "--head", 0, "--out", out),
            "has layers 0 to 11",
        ),
    ):
        assert command(*words) == 2, words
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert message in captured.err
        assert captured.err.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_real_attention_maps(command, tmp_path: Path, real_weights: Path, real_images: Path):
    out = tmp_path / "maps.npz"
    source = ("--weights", real_weights, "--data", real_images)
    assert command("attention-maps", *source, "--limit", 4, "--out", out) == 0
    maps = load_attention_maps(out)
    assert maps.metadata["images"] == 4
    assert str(tmp_path) not in maps.metadata["command"]


def test_unreadable_images_are_reported(
    command, tmp_path: Path, real_weights: Path, image_folder: Path, capsys: pytest.CaptureFixture
):
    bad = image_folder / "007" / "1.png"
    bad.write_text("no image")
    words = ("--weights", real_weights, "--data", image_folder)
    assert command("attention-maps", *words, "--out", tmp_path / "maps.npz") == 0
    captured = capsys.readouterr()
    assert f"warning: 1 of 7 images are unreadable and left out: {bad} (no picture" in captured.err
    assert "averaged over 6 images" in captured.out
