"""Weights in several files and in training files: what is read, left out and refused."""

import argparse
import hashlib
import json
import pathlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from model.data.preprocessing import Preprocessing
from model.network.names import DEIT_TINY, VIT_DIGITS, timm_name
from model.tests.refused_weights import refusal
from model.weights.files import read_weights
from model.weights.load import load_model
from model.weights.storage import weights_sha256
from rtl_gen.errors import InputWarning, UserError

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Of vit_digits, no two tensors alike."""
    torch.manual_seed(0)
    names = timm.create_model(timm_name(VIT_DIGITS)).state_dict()
    return {name: torch.randn_like(value) for name, value in names.items()}


def is_loaded(path: Path, state: State) -> bool:
    loaded = load_model(VIT_DIGITS, path).state_dict()
    return all(torch.equal(loaded[name], value) for name, value in state.items())


# Several files -----------------------------------------------------------------------------------


def in_parts(folder: Path, state: State, kind: str) -> Path:
    """Three parts and their index, as Hugging Face's libraries write them."""
    stem, suffix = kind.split(".")
    names = sorted(state)
    places = {}
    for part in range(3):
        tensors = {name: state[name] for name in names[part::3]}
        file = folder / f"{stem}-0000{part + 1}-of-00003.{suffix}"
        (save_file if suffix == "safetensors" else torch.save)(tensors, file)
        places |= dict.fromkeys(tensors, file.name)
    index = folder / f"{kind}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


@pytest.mark.parametrize("kind", ["model.safetensors", "pytorch_model.bin"])
def test_parts(tmp_path: Path, state: State, kind: str):
    index = in_parts(tmp_path, state, kind)
    assert is_loaded(index, state)
    assert is_loaded(tmp_path, state)
    contents = index.read_bytes()
    for part in (1, 2, 3):
        name = kind.replace(".", f"-0000{part}-of-00003.")
        contents += (tmp_path / name).read_bytes()
    expected = hashlib.sha256(contents).hexdigest()
    assert weights_sha256(tmp_path) == weights_sha256(index) == expected


@pytest.mark.parametrize("kind", ["model.safetensors", "pytorch_model.bin"])
def test_no_weights_in_parts(tmp_path: Path, state: State, kind: str):
    for bad, said in (
        (torch.full((10,), torch.inf), "head.bias: 10 of 10 values are not finite"),
        (torch.zeros(10, dtype=torch.uint8), "head.bias is uint8: expected dense float32"),
    ):
        index = in_parts(tmp_path, {**state, "head.bias": bad}, kind)
        with pytest.raises(UserError, match=f"weights file .*: tensor {said}"):
            load_model(VIT_DIGITS, index)


def test_digest_of_one_file(tmp_path: Path, state: State):
    save_file(state, tmp_path / "model.safetensors")
    expected = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert weights_sha256(tmp_path) == weights_sha256(tmp_path / "model.safetensors") == expected
    assert weights_sha256(None) is None


def test_what_is_taken_from_a_folder(tmp_path: Path, state: State):
    """Safetensors before pickles, a whole file before parts."""
    other = {name: value + 1 for name, value in state.items()}
    torch.save(other, tmp_path / "pytorch_model.bin")
    assert is_loaded(tmp_path, other)
    index = in_parts(tmp_path, state, "model.safetensors")
    assert is_loaded(tmp_path, state)
    save_file(other, tmp_path / "model.safetensors")
    assert is_loaded(tmp_path, other)
    assert is_loaded(index, state)


def test_folders_of_a_hub_say_their_preprocessing(tmp_path: Path):
    torch.manual_seed(0)
    save_file(
        timm.create_model("deit_tiny_patch16_224").state_dict(), tmp_path / "part.safetensors"
    )
    names = timm.create_model("deit_tiny_patch16_224").state_dict()
    index = {"weight_map": dict.fromkeys(names, "part.safetensors")}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "vit_tiny_patch16_224"}))
    assert Preprocessing.of(load_model(DEIT_TINY, tmp_path)).mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"head.bias": "absent.safetensors"}, "names absent.safetensors, which is not beside it"),
        ({"head.bias": "../model.safetensors"}, "names a file '../model.safetensors'"),
        ({"head.bias": 7}, "names a file 7"),
        ({"more": "model-00001-of-00003.safetensors"}, "looks for tensor more in model-00001-of-0"),
        ({"head.bias": "model.safetensors.index.json"}, "names a file 'model.safetensors.index"),
    ],
)
def test_wrong_indices(tmp_path: Path, state: State, places: dict[str, Any], said: str):
    index = in_parts(tmp_path, state, "model.safetensors")
    content = json.loads(index.read_text())
    content["weight_map"] |= places
    index.write_text(json.dumps(content))
    with pytest.raises(UserError, match=said) as caught:
        load_model(VIT_DIGITS, index)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 100_000]
)
def test_files_that_are_no_index(tmp_path: Path, content: str):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with pytest.raises(UserError, match=r"is unreadable: expected|names no tensors: expected"):
        load_model(VIT_DIGITS, index)


def test_folders_without_weights(tmp_path: Path):
    (tmp_path / "weights.pth").touch()
    with pytest.raises(UserError, match=r"no weights file in .*: expected model.safetensors, "):
        load_model(VIT_DIGITS, tmp_path)


# Training files ----------------------------------------------------------------------------------


def renamed(state: State, front: str) -> State:
    return {f"{front}{name}": value for name, value in state.items()}


NAMESPACE = argparse.Namespace(
    model="mine", output_dir=pathlib.PosixPath("out"), best=np.float64(0.7), epochs=np.int64(3)
)

TRAINING = {
    "MAE's fine-tuning": lambda state: {
        "model": state,
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]},
        "scaler": {"scale": 65536.0, "growth_factor": 2.0},
        "epoch": 49,
        "args": NAMESPACE,
    },
    "PyTorch's tutorial": lambda state: {"model_state_dict": state, "loss": torch.tensor(1.0)},
    "Lightning": lambda state: {
        "state_dict": renamed(state, "model."),
        "hyper_parameters": {"lr": 0.1},
        "callbacks": {},
    },
    "a module of one's own": lambda state: renamed(state, "net.backbone."),
    "a module's compiled part": lambda state: renamed(state, "model._orig_mod."),
    "FSDP": lambda state: {
        name.replace("blocks.0.", "blocks.0._fsdp_wrapped_module."): value
        for name, value in renamed(state, "_fsdp_wrapped_module.").items()
    },
    "compiled layers": lambda state: {
        name.replace("blocks.2.", "blocks.2._orig_mod."): value for name, value in state.items()
    },
    "AveragedModel": lambda state: {
        "n_averaged": torch.tensor(7),
        **renamed(state, "module._orig_mod."),
    },
    "Lightning over DistributedDataParallel": lambda state: renamed(state, "model.module."),
}


@pytest.mark.parametrize("form", TRAINING)
def test_training_files(tmp_path: Path, state: State, form: str):
    torch.save(TRAINING[form](state), tmp_path / "checkpoint.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_loaded(tmp_path / "checkpoint.pth", state)


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        (("model_ema", "model"), "model"),
        (("state_dict_ema", "state_dict"), "state_dict"),
        (("other", "model_ema"), "model_ema"),
    ],
)
def test_two_states(tmp_path: Path, state: State, keys: tuple[str, str], taken: str):
    """The trained one before its average, as DeiT's and MAE's scripts evaluate; one line tells."""
    content = {key: {name: value + (key != taken) for name, value in state.items()} for key in keys}
    torch.save(content, tmp_path / "checkpoint.pth")
    with pytest.warns(InputWarning) as caught:
        assert is_loaded(tmp_path / "checkpoint.pth", state)
    (warning,) = caught
    assert f"holds {keys[0]} and {keys[1]}: {taken} is taken" in str(warning.message)


def test_two_networks(tmp_path: Path, state: State):
    path = tmp_path / "checkpoint.pth"
    for content, said in (
        ({"generator": state, "critic": state}, "holds generator and critic: save the state dict"),
        (
            renamed(state, "student.") | renamed(state, "teacher.backbone."),
            "holds 2 networks, below student. and teacher.backbone.: save one alone",
        ),
        (state | renamed(state, "ema."), "holds 2 networks, below no name and ema.: save one"),
        (state | renamed(state, "module."), "holds 2 tensors cls_token: save one network alone"),
        (
            renamed(state, "model.") | {"loss.weight": torch.zeros(10)},
            "tensor loss.weight of shape (10,) has no place in the model",
        ),
    ):
        assert said in refusal(path, content)


DECODER = ("decoder_pos_embed", "decoder_embed.weight", "decoder_blocks.0.norm1.weight")


def test_pre_trained_networks(tmp_path: Path, state: State):
    """MAE's: the decoder is left out; a classifier is missed, features need none."""
    path = tmp_path / "mae_pretrain.pth"
    encoder = {name: value for name, value in state.items() if not name.startswith("head")}
    decoder = {name: torch.randn(3) for name in (*DECODER, "mask_token", "decoder_pred.bias")}
    content = {"model": {**encoder, **decoder}}
    assert "it has no classifier, as after pre-training: tensor head.weight is" in refusal(
        path, content
    )
    assert read_weights(path, VIT_DIGITS).tensors.keys() == encoder.keys()


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("fc_norm.weight", (48,), "it is a network that classifies the mean of its tokens"),
        ("dist_token", (1, 1, 48), "it is a distilled network with a second token beside CLS"),
        ("reg_token", (1, 4, 48), "it is a network with register tokens"),
    ],
)
def test_networks_of_another_kind(tmp_path: Path, state: State, name, shape, said):
    found = refusal(tmp_path / "w.pth", {**state, name: torch.zeros(shape)})
    assert f"does not fit vit_digits: {said}, expected one without" in found


@torch.inference_mode()
def test_mean_pooling_and_layer_scale(tmp_path: Path):
    """MAE's `fc_norm` is timm's; DeiT III's own script says gamma_1 for timm's ls1.gamma."""
    shape = {"img_size": 28, "patch_size": 4, "embed_dim": 48, "depth": 2, "num_heads": 3}
    model = VisionTransformer(**shape, global_pool="avg", init_values=0.1).eval()
    for value in model.state_dict().values():
        nn.init.normal_(value)
    own = {
        name.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2"): value
        for name, value in model.state_dict().items()
    }
    assert {"fc_norm.weight", "blocks.1.gamma_2"} <= own.keys()
    torch.save({"model": own}, tmp_path / "mae.pth")
    found = read_weights(tmp_path / "mae.pth", VIT_DIGITS).tensors
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())


def test_settings_of_the_training(tmp_path: Path):
    """timm's `args` hold what the user changed of the model's own preprocessing."""
    torch.manual_seed(0)
    content = {
        "state_dict": timm.create_model("deit_tiny_patch16_224").state_dict(),
        "arch": "deit_tiny_patch16_224",
        "args": argparse.Namespace(mean=[0.1, 0.2, 0.3], std=None, crop_pct=1.0, interpolation=""),
    }
    torch.save(content, tmp_path / "last.pth.tar")
    found = Preprocessing.of(load_model(DEIT_TINY, tmp_path / "last.pth.tar"))
    assert (found.mean, found.crop_pct) == ((0.1, 0.2, 0.3), 1.0)
    assert (found.std, found.interpolation) == ((0.229, 0.224, 0.225), "bicubic")
