"""Networks of one's own, in a YAML file, through every command of the software side."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from model.attention.maps import load_attention_maps
from model.integer.network import IntegerNetwork
from model.masks.vitcod_file import read_masks
from model.network.names import get_network
from model.network.readout import Readout
from model.pruning.schedule_file import read_schedule

COMMON = """
patch_size: 8
embed_dim: 32
num_heads: 2
num_classes: 8
mean: [0.4, 0.5, 0.6]
std: 0.25
"""

OWN = {
    "mean": "img_size: [32, 48]\ndepth: 3\nclass_token: false\nglobal_pool: avg\n",
    "distilled": "model: plain_vit_distilled\nimg_size: 32\ndepth: 4\n",
    "registers": "img_size: 32\ndepth: 3\nreg_tokens: 4\npre_norm: true\nact_layer: quick_gelu\n",
}


@pytest.fixture(params=OWN)
def own(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a network: mine.yaml, mine.pth, pictures of 8 classes in val and calib."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(OWN[request.param] + COMMON)
    torch.manual_seed(0)
    model = get_network("mine.yaml").timm.create()
    for block in model.blocks:
        torch.nn.init.normal_(block.attn.qkv.weight, std=0.4)
    torch.save(model.state_dict(), "mine.pth")
    rng = np.random.default_rng(0)
    for folder in ("val", "calib"):
        for index in range(8):
            Path(folder, str(index)).mkdir(parents=True)
            pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path(folder, str(index), "picture.png"))
    return tmp_path


def test_every_command(own: Path, command, capsys: pytest.CaptureFixture):
    network = get_network("mine.yaml")
    prefix = network.prefix_tokens

    def run(*words: object) -> str:
        assert command(*words) == 0, capsys.readouterr()
        return capsys.readouterr().out

    mine = ("--model", "mine.yaml")
    weights = (*mine, "--weights", "mine.pth")
    run("schedule", *mine)
    assert "resampled maps of mine" in run("masks", *mine, "--sparsity", 0.3, "--out", "m.npy")
    masks = read_masks(own / "m.npy", network)
    assert masks[:, :, :prefix].all()
    assert masks[..., :prefix].all()
    run("inspect-mask", "m.npy", *mine)
    run("polarise", "m.npy", *mine, "--out", "polarised.npz")

    run("attention-maps", *weights, "--data", "calib", "--out", "maps.npz")
    maps = load_attention_maps("maps.npz")
    assert (maps.label, maps.prefix_tokens) == ("measured", prefix)
    measured = run("masks", "--maps", "maps.npz", "--sparsity", 0.3, "--out", "measured.npy")
    assert "measured maps of mine" in measured
    assert read_masks(own / "measured.npy", network)[:, :, :prefix].all()
    few = ("--steps", 2, "--batch-size", 2)
    scores = ("learn-scores", *weights, "--data", "calib", "--maps", "maps.npz")
    run(*scores, *few, "--out", "scores.npz")

    run("quantise", *weights, "--data", "calib", "--out", "int8.safetensors")
    integers = IntegerNetwork.load(own / "int8.safetensors")
    assert integers.shape == network
    assert integers.preprocessing.mean == (0.4, 0.5, 0.6)
    assert "mean 0.4 0.5 0.6" in run(
        "integer-accuracy", "int8.safetensors", *weights, "--data", "val"
    )
    loss = ("integer-loss", "int8.safetensors", *weights, "--data", "val", "--masks", "m.npy")
    run(*loss, "--out", "loss.csv")
    losses = pd.read_csv("loss.csv")
    assert losses[losses.run == "dense"].sqnr_db.min() > 15

    run(
        "accuracy", *weights, "--data", "val", "--calib", "calib", "--sparsity", 0.3, "--out", "acc"
    )
    settings = json.loads(Path("acc/mine.json").read_text())
    assert settings["settings"]["preprocessing"]["std"] == [0.25, 0.25, 0.25]
    run("prune", *weights, "--data", "val", "--out", "importance.csv")
    measures = set(pd.read_csv("importance.csv").importance)
    assert ("cls" in measures) == (prefix > 0)

    tuned = ("finetune", *weights, "--data", "calib", "--masks", "m.npy", "--no-bf16")
    run(*tuned, *few, "--out", "tuned")
    search = ("search-schedule", *weights, "--data", "calib", "--masks", "m.npy")
    search += ("--limit", 4, "--held-back", 4, "--out", "search")
    run(*search)
    found = read_schedule(Path("search/searched-m.json")).kept_tokens(network)
    assert found[-1] == 1 if network.readout is Readout.MEAN else found[-1] == 0
    run("image", *mine, "--sparsity", 0.3, "--network", "int8.safetensors", "--out", "image")


@pytest.mark.parametrize("own", ["mean"], indirect=True)
def test_another_network_than_the_files(own: Path, command, capsys: pytest.CaptureFixture):
    """Integers know the name of their network, but not where its file is."""
    del own
    weights = ("--model", "mine.yaml", "--weights", "mine.pth")
    command("quantise", *weights, "--data", "calib", "--out", "int8.safetensors")
    assert command("integer-accuracy", "int8.safetensors", "--data", "val") == 2
    assert "unknown model 'mine'" in capsys.readouterr().err
    other = ("--model", "deit_tiny", "--weights", "mine.pth")
    assert command("integer-accuracy", "int8.safetensors", *other, "--data", "val") == 2
    message = "the file holds a mine: expected a deit_tiny, or the name of its network with --model"
    assert message in " ".join(capsys.readouterr().err.split())
