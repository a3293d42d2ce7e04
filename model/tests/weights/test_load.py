"""Files of weights: every format, under every name, and every way in which they can be wrong."""

import argparse
import pickle
import warnings
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from model.network.names import ASSETS, DEIT_TINY, VIT_DIGITS, get_network, timm_name
from model.tests.refused_weights import refusal
from model.weights.hugging_face import to_timm
from model.weights.load import load_beside, load_model
from rtl_gen.errors import InputWarning, UserError

State = dict[str, Tensor]

NAME = "blocks.3.attn.qkv.weight"


@pytest.fixture(scope="module")
def state() -> State:
    """Of vit_digits, whose tensors fit no other network."""
    torch.manual_seed(0)
    return timm.create_model(timm_name(VIT_DIGITS)).state_dict()


@pytest.fixture(autouse=True)
def _without_library_warnings():
    """One line and no more: whatever a library warns of is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def hugging_face(state: State, prefix: str) -> State:
    """The same tensors by the names that transformers gives them, written out."""
    names = {
        "cls_token": f"{prefix}.embeddings.cls_token",
        "pos_embed": f"{prefix}.embeddings.position_embeddings",
        "norm.weight": f"{prefix}.layernorm.weight",
        "norm.bias": f"{prefix}.layernorm.bias",
        "head.weight": "classifier.weight",
        "head.bias": "classifier.bias",
    }
    found = {theirs: state[ours] for ours, theirs in names.items()}
    for kind in ("weight", "bias"):
        patches = f"{prefix}.embeddings.patch_embeddings.projection.{kind}"
        found[patches] = state[f"patch_embed.proj.{kind}"]
        for layer in range(4):
            ours, theirs = f"blocks.{layer}", f"{prefix}.encoder.layer.{layer}"
            dim = len(state[f"{ours}.norm1.bias"])
            qkv = state[f"{ours}.attn.qkv.{kind}"]
            for place, name in enumerate(("query", "key", "value")):
                part = qkv[place * dim : (place + 1) * dim].clone()
                found[f"{theirs}.attention.attention.{name}.{kind}"] = part
            for own, other in (
                ("attn.proj", "attention.output.dense"),
                ("norm1", "layernorm_before"),
                ("norm2", "layernorm_after"),
                ("mlp.fc1", "intermediate.dense"),
                ("mlp.fc2", "output.dense"),
            ):
                found[f"{theirs}.{other}.{kind}"] = state[f"{ours}.{own}.{kind}"]
    return found


FORMATS = {
    "alone": lambda state: state,
    "DeiT's script": lambda state: {
        "model": state,
        "optimizer": {"state": {}},
        "epoch": 3,
        "model_ema": None,
        "args": argparse.Namespace(model="deit", lr=5e-4, output_dir="out"),
    },
    "timm's script": lambda state: {"arch": "vit", "state_dict": state, "metric": 71.2},
    "average alone": lambda state: {"model_ema": state},
    "timm's average alone": lambda state: {"state_dict_ema": state},
    "DistributedDataParallel": lambda state: {
        "state_dict": {f"module.{name}": value for name, value in state.items()}
    },
    "torch.compile": lambda state: {
        f"module._orig_mod.{name}": value for name, value in state.items()
    },
    "ViTForImageClassification": lambda state: hugging_face(state, "vit"),
    "DeiTForImageClassification": lambda state: hugging_face(state, "deit"),
}


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ""])
@pytest.mark.parametrize("form", FORMATS)
def test_formats(tmp_path: Path, state: State, form: str, suffix: str):
    path = tmp_path / f"weights{suffix}"
    torch.save(FORMATS[form](state), path)
    loaded = load_model(VIT_DIGITS, path).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


@pytest.mark.parametrize("form", ["alone", "torch.compile", "ViTForImageClassification"])
def test_safetensors(tmp_path: Path, state: State, form: str):
    path = tmp_path / "weights.safetensors"
    save_file(FORMATS[form](state), path)
    loaded = load_model(VIT_DIGITS, path).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_query_key_and_value_lie_side_by_side():
    parts = {
        f"vit.encoder.layer.11.attention.attention.{name}.weight": torch.full((2, 3), place)
        for place, name in enumerate(("query", "key", "value"))
    }
    found = to_timm(parts)
    assert found.keys() == {"blocks.11.attn.qkv.weight"}
    assert found["blocks.11.attn.qkv.weight"].tolist() == [[i] * 3 for i in (0, 0, 1, 1, 2, 2)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_other_widths(tmp_path: Path, state: State, dtype: torch.dtype):
    path = tmp_path / "weights.safetensors"
    narrow = {name: value.to(dtype) for name, value in state.items()}
    save_file(narrow, path)
    loaded = load_model(VIT_DIGITS, path).state_dict()
    for name, value in narrow.items():
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name].to(dtype), value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (torch.int8, "int8"),
        (torch.int64, "int64"),
        (torch.uint8, "uint8"),
        (torch.bool, "bool"),
        (torch.complex64, "complex64"),
        (torch.float8_e4m3fn, "float8_e4m3fn"),
    ],
)
def test_tensors_that_are_no_weights(tmp_path: Path, state: State, value: torch.dtype, kind: str):
    message = refusal(tmp_path / "w.pth", {**state, NAME: state[NAME].to(value)})
    assert f"tensor {NAME} is {kind}: expected dense float32, float64, float16" in message


@pytest.mark.parametrize("form", FORMATS)
def test_no_weights_in_any_format(tmp_path: Path, state: State, form: str):
    """The tensor is named, by the name that it has in its format without wrappers."""
    name = "classifier.bias" if form.endswith("Classification") else "head.bias"
    whole, nan = torch.zeros(10, dtype=torch.int64), torch.full((10,), torch.nan)
    for bad, said in ((whole, "is int64: expected"), (nan, ": 10 of 10 values are not finite")):
        content = FORMATS[form]({**state, "head.bias": bad})
        assert f"tensor {name}{' ' * (bad is whole)}{said.lstrip()}" in refusal(
            tmp_path / "weights.pth", content
        )


def test_quantised_and_sparse_tensors(tmp_path: Path, state: State):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(state[NAME], 0.1, 0, torch.qint8)
        sparse = state[NAME].to_sparse()
        for tensor, kind in ((quantised, "qint8"), (sparse, "sparse float32")):
            message = refusal(tmp_path / "w.pth", {**state, NAME: tensor})
            assert f"tensor {NAME} is {kind}: expected" in message


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_values_that_are_not_finite(tmp_path: Path, state: State, suffix: str):
    """Two NaN and an infinity; and a float64 beyond float32."""
    path = tmp_path / f"weights{suffix}"
    bad = state[NAME].clone()
    bad[0, 0] = bad[5, 7] = torch.nan
    bad[1, 1] = -torch.inf
    large = state["head.bias"].double()
    large[3] = 1e300
    for name, tensor, message in (
        (NAME, bad, r"3 of 6,912 values are not finite \(2 NaN, 1 infinite\)"),
        ("head.bias", large, r"1 of 10 values are not finite \(0 NaN, 1 infinite\)"),
    ):
        save = save_file if suffix == ".safetensors" else torch.save
        save({**state, name: tensor}, path)
        with pytest.raises(UserError, match=f"tensor {name}: {message}: expected numbers"):
            load_model(VIT_DIGITS, path)


def test_weights_that_do_not_fit(tmp_path: Path, state: State):
    path = tmp_path / "w.pth"
    for change, message in (
        ({NAME: torch.zeros(144, 96)}, f"{NAME} has shape (144, 96), expected (144, 48)"),
        ({"extra": torch.zeros(2)}, "extra of shape (2,) has no place"),
        ({"dist_token": torch.zeros(1, 1, 48)}, "a distilled network with a second token"),
    ):
        message_found = refusal(path, {**state, **change})
        assert "does not fit vit_digits" in message_found
        assert message in message_found
    found = refusal(path, {name: value for name, value in state.items() if name != NAME})
    assert f"{NAME} is missing, expected (144, 48)" in found
    theirs = hugging_face(state, "vit")
    del theirs["vit.encoder.layer.3.attention.attention.key.weight"]
    assert f"{NAME} is missing" in refusal(path, theirs)


def test_weights_of_another_network(tmp_path: Path):
    path = tmp_path / "deit_tiny.safetensors"
    save_file(timm.create_model(timm_name(DEIT_TINY)).state_dict(), path)
    with pytest.raises(UserError, match="does not fit deit_small: tensor cls_token has shape"):
        load_model(get_network("deit_small"), path)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth", "weights.bin", "weights"])
@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"hello", b"PK\3\4", pickle.dumps({"a": Path("x")}), b'{"a": 1}\n' * 50],
)
def test_files_of_another_kind(tmp_path: Path, name: str, content: bytes):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"is unreadable \(.*[a-z].*\): expected safetensors, or"
    ) as caught:
        load_model(VIT_DIGITS, path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.999])
def test_truncated_files(tmp_path: Path, state: State, suffix: str, part: float):
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError, match="is unreadable") as caught:
        load_model(VIT_DIGITS, path)
    assert "\n" not in str(caught.value)


def test_contents_that_are_no_state_dict(tmp_path: Path, state: State):
    for content, message in (
        ([1, 2], "holds a list"),
        (torch.zeros(3), "holds a Tensor"),
        (7, "holds a int"),
        ({}, "more or less than tensors"),
        ({"model": 3}, "more or less than tensors"),
        ({"model": {}}, "more or less than tensors"),
        ({"pos_embed": "text"}, "more or less than tensors"),
        ({1: torch.zeros(2)}, "tensor cls_token is missing"),
        ({"args": argparse.Namespace(model=[3]), "model": [state]}, "more or less than tensors"),
    ):
        assert message in refusal(tmp_path / "weights.pth", content)


def test_a_whole_module(tmp_path: Path):
    """What it would have to run is named, not run."""
    model = timm.create_model(timm_name(VIT_DIGITS))
    message = refusal(tmp_path / "weights.pth", model)
    assert "it holds objects of" in message
    assert "timm.models.vision_transformer.VisionTransformer" in message
    assert "expected safetensors, or tensors by name from torch.save(model.state_dict(), FILE)" in (
        message
    )


def test_nothing_in_a_file_is_run(tmp_path: Path):
    class Malign:
        def __reduce__(self):
            return Path.touch, (tmp_path / "touched",)

    assert "it holds objects of" in refusal(tmp_path / "weights.pth", {"model": Malign()})
    assert not (tmp_path / "touched").exists()


def test_missing_weights(tmp_path: Path):
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(UserError, match="no weights file"):
            load_model(VIT_DIGITS, path)


def test_failed_download(monkeypatch: pytest.MonkeyPatch):
    def offline(*_args, **_options):
        raise FileNotFoundError("no connection.\nmore text")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"downloaded \(no connection\): .* --weights$"):
        load_model(DEIT_TINY)


def test_onnx(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x08\x12\x07pytorch")
    with pytest.raises(UserError, match=r"is ONNX, .* take the network that was exported, torch.s"):
        load_model(VIT_DIGITS, path)


def test_weights_beside_others_are_given_the_same_pictures():
    file = ASSETS / "vit_digits.safetensors"
    first = load_model(VIT_DIGITS, file)
    second = load_beside(first, VIT_DIGITS, file)
    assert torch.equal(second.head.weight, first.head.weight)
    message = "expected weights of one preprocessing"
    with pytest.warns(InputWarning), pytest.raises(UserError, match=message):
        load_beside(first, VIT_DIGITS, file, "mean=0.1+std=0.5+crop_pct=1.0+interpolation=bicubic")
