"""Preprocessing belongs to the weights: every place that tells it, and what hangs on it."""

import argparse
import json
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from model.data.digits import Split, write_folder
from model.data.image_folder import ImageFolder, evaluation_transform
from model.data.preprocessing import Preprocessing
from model.evaluation.integer_accuracy import compare
from model.integer.network import IntegerNetwork
from model.network.names import ASSETS, DEIT_TINY, VIT_DIGITS, timm_name
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference
from model.weights.files import as_bytes
from model.weights.load import load_model, stated_name
from rtl_gen.errors import InputWarning, UserError

DEIT, VIT = "deit_tiny_patch16_224", "vit_tiny_patch16_224"
IMAGENET, HALF = (0.485, 0.456, 0.406), (0.5, 0.5, 0.5)
"""Means of DeiT's pictures and of ViT's: https://github.com/huggingface/pytorch-image-models."""


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Tensors that fit DeiT-Tiny and ViT-Tiny alike."""
    torch.manual_seed(0)
    return timm.create_model(DEIT).state_dict()


def mean_of(path: Path, stated: str | None = None) -> tuple[float, ...]:
    return Preprocessing.of(load_model(DEIT_TINY, path, stated)).mean


def test_weights_of_two_networks_ask_for_it(tmp_path: Path, state: dict[str, Tensor]):
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    with pytest.raises(UserError) as caught:
        load_model(DEIT_TINY, path)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        f"{DEIT} (mean 0.485 0.456 0.406, std 0.229 0.224 0.225",
        f"{VIT} (mean 0.5 0.5 0.5, std 0.5 0.5 0.5",
        "name one with --preprocessing",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("model", "option", "mean"),
    [
        ("deit_tiny", VIT, HALF),
        ("deit_tiny", DEIT, IMAGENET),
        ("deit_tiny", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", HALF),
        (VIT, None, HALF),
        (f"{DEIT}.fb_in1k", None, IMAGENET),
        (DEIT, VIT, HALF),
    ],
)
def test_the_user_states_it(tmp_path: Path, state: dict[str, Tensor], model, option, mean):
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    assert mean_of(path, stated_name(model, path, option)) == mean


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        (DEIT, IMAGENET),
        ("deit_tiny", IMAGENET),
        (f"{DEIT}-a1311bcf", IMAGENET),
        (VIT, HALF),
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", HALF),
    ],
)
def test_the_files_name_tells_it(tmp_path: Path, state: dict[str, Tensor], name, mean):
    save_file(state, tmp_path / f"{name}.safetensors")
    assert mean_of(tmp_path / f"{name}.safetensors") == mean


@pytest.mark.parametrize(("name", "mean"), [(DEIT, IMAGENET), (VIT, HALF)])
def test_the_file_tells_it(tmp_path: Path, state: dict[str, Tensor], name, mean):
    save_file(state, tmp_path / "header.safetensors", {"architecture": name})
    torch.save({"state_dict": state, "arch": name}, tmp_path / "timm.pth")
    torch.save({"model": state, "args": argparse.Namespace(model=name)}, tmp_path / "deit.pth")
    for file in ("header.safetensors", "timm.pth", "deit.pth"):
        assert mean_of(tmp_path / file) == mean, file


@pytest.mark.parametrize("settings", [{}, {"mean": [0.1, 0.2, 0.3], "crop_pct": 1.0}])
def test_the_hubs_config_tells_it(tmp_path: Path, state: dict[str, Tensor], settings):
    save_file(state, tmp_path / "model.safetensors")
    config = {"architecture": VIT, "pretrained_cfg": {"tag": "augreg", **settings}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = Preprocessing.of(load_model(DEIT_TINY, tmp_path / "model.safetensors"))
    assert found.mean == tuple(settings.get("mean", HALF))
    assert (found.std, found.crop_pct) == (HALF, settings.get("crop_pct", 0.9))


def test_an_invalid_config_is_told(tmp_path: Path, state: dict[str, Tensor]):
    save_file(state, tmp_path / "model.safetensors")
    config = {"architecture": VIT, "pretrained_cfg": {"std": [0.5, 0.5, 0]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"is invalid \(std.2: .* greater than 0\)"):
        load_model(DEIT_TINY, tmp_path / "model.safetensors")


def test_a_contradiction_is_warned_of(tmp_path: Path, state: dict[str, Tensor]):
    path = tmp_path / f"{DEIT}.safetensors"
    save_file(state, path)
    with pytest.warns(InputWarning, match="says mean 0.5 .* its name mean 0.485 .* first is taken"):
        assert mean_of(path, VIT) == HALF


def test_names_that_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="preprocessing 'magic': expected the name of a timm model"):
        stated_name("deit_tiny", tmp_path, "magic")
    with pytest.raises(UserError, match="--preprocessing is that of a file: name it with"):
        stated_name("deit_tiny", None, VIT)


@pytest.fixture
def digits(tmp_path: Path) -> ImageFolder:
    write_folder(Split.HELD_BACK, tmp_path / "digits")
    return ImageFolder(tmp_path / "digits", 100)


@pytest.fixture
def renormalised(tmp_path: Path) -> Path:
    """vit_digits for pictures normalised as ImageNet's: the embedding makes up for the difference.

    With p for pixels from 0 to 1, w (p - 0.5) / 0.5 + b = w' (p - mean) / std + b' for
    w' = w std / 0.5 and b' = b + sum w (mean - 0.5) / 0.5.
    """
    model = load_model(VIT_DIGITS)
    own = Preprocessing.of(model)
    mean, std = torch.tensor(IMAGENET), torch.tensor((0.229, 0.224, 0.225))
    embedding = model.patch_embed.proj
    shift = ((mean - 0.5) / 0.5)[:, None, None]
    embedding.bias += (embedding.weight * shift).sum(dim=(1, 2, 3))
    embedding.weight *= (std / 0.5)[:, None, None]
    other = own.model_copy(update={"mean": IMAGENET, "std": tuple(std.tolist())})
    other.apply_to(model)
    path = tmp_path / "renormalised.safetensors"
    path.write_bytes(as_bytes(model))
    return path


def test_two_normalisations_give_one_accuracy(digits: ImageFolder, renormalised: Path):
    """Each of the two with its own; the other's costs hits."""
    own, other = load_model(VIT_DIGITS), load_model(VIT_DIGITS, renormalised)
    assert Preprocessing.of(own).mean == HALF
    assert Preprocessing.of(other).mean == pytest.approx(IMAGENET)
    hits = [
        FloatReference(network=VIT_DIGITS, model=model).accuracy(digits) for model in (own, other)
    ]
    assert hits[0] == hits[1] > 0.9
    stated = timm_name(VIT_DIGITS)
    with pytest.warns(InputWarning, match="the first is taken"):
        wrong = load_model(VIT_DIGITS, renormalised, stated)
    assert FloatReference(network=VIT_DIGITS, model=wrong).accuracy(digits) < hits[0]


def test_integers_carry_it(tmp_path: Path, digits: ImageFolder, renormalised: Path):
    """From one picture's pixels both integer networks choose the same classes."""
    references = [
        FloatReference(network=VIT_DIGITS, model=load_model(VIT_DIGITS, path))
        for path in (ASSETS / "vit_digits.safetensors", renormalised)
    ]
    integers = []
    for reference in references:
        quantise_network(reference, digits).save(tmp_path / "integers")
        integers.append(IntegerNetwork.load(tmp_path / "integers"))
        assert integers[-1].preprocessing == Preprocessing.of(reference.model)
        result = compare(integers[-1], reference, digits)
        assert result.integer_top1 > 0.9
    for other in (0, 1):
        with pytest.raises(
            UserError, match=r"was calibrated for pictures of mean .*--preprocessing"
        ):
            compare(integers[other], references[1 - other], digits)


def test_tables_name_it(
    command, tmp_path: Path, digits: ImageFolder, renormalised: Path, capsys: pytest.CaptureFixture
):
    """On the screen and in the files."""
    words = ("--model", "vit_digits", "--weights", renormalised, "--data", digits.root)
    words += ("--limit", 20, "--no-integer", "--sparsity", 0.5, "--out", tmp_path / "out")
    assert command("accuracy", *words) == 0
    assert "mean 0.485 0.456 0.406" in " ".join(capsys.readouterr().out.split())
    found = json.loads((tmp_path / "out" / "vit_digits.json").read_text())
    rows = found["rows"]
    assert all(row["preprocessing"].startswith("mean 0.485 0.456 0.406") for row in rows)
    assert found["settings"]["preprocessing"]["mean"] == pytest.approx(list(IMAGENET))
    assert command("accuracy", *words, "--preprocessing", "magic") == 2
    assert "preprocessing 'magic': expected" in capsys.readouterr().err


def test_stated_by_name_and_changes():
    changed = Preprocessing.stated("vit_tiny_patch16_224+crop_pct=1.0+std=0.5,0.25,0.125")
    assert changed.mean == (0.5, 0.5, 0.5)
    assert changed.std == (0.5, 0.25, 0.125)
    assert (changed.crop_pct, changed.interpolation) == (1.0, "bicubic")
    assert Preprocessing.stated("vit_tiny_patch16_224").crop_pct == 0.9


def test_stated_as_a_whole():
    stated = Preprocessing.stated("mean=0.5+std=0.25+crop_mode=squash+interpolation=bilinear")
    assert (stated.mean, stated.std) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert (stated.crop_mode, stated.interpolation) == ("squash", "bilinear")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean=0.5", "expected mean and std, or the name of a timm model"),
        ("mean=0.5+std=-1", "std: input should be greater than 0"),
        ("mean=0.5,0.5+std=1", "mean: .*found"),
        ("vit_tiny_patch16_224+crop=1", "unknown key 'crop': did you mean 'crop_pct'"),
        ("nothing+crop_pct=1", "expected the name of a timm model"),
    ],
)
def test_refused_statements(text: str, message: str):
    with pytest.raises(UserError, match=message):
        Preprocessing.stated(text)


def test_a_model_made_by_hand_has_pictures_of_its_own_size():
    """timm's settings say 224 where a model says nothing."""
    model = VisionTransformer(img_size=(24, 20), patch_size=4, embed_dim=8, depth=1, num_heads=1)
    picture = Image.new("RGB", (60, 50))
    assert evaluation_transform(model)(picture).shape == (3, 24, 20)
