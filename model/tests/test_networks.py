"""Networks and their weights: shapes against timm, and every way weights can be wrong."""

import pickle
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from model.networks import ALL_NETWORKS, DEIT_TINY, get_network, load_model
from rtl_gen.errors import UserError


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return timm.create_model(DEIT_TINY.timm_name).state_dict()


@pytest.mark.parametrize("name", ALL_NETWORKS)
def test_shapes(name: str):
    network = get_network(name)
    assert get_network(network.timm_name) is network
    with torch.device("meta"):
        model = timm.create_model(network.timm_name)
    attention, mlp = model.blocks[0].attn, model.blocks[0].mlp
    assert len(model.blocks) == network.layers
    assert (attention.num_heads, attention.head_dim) == (network.heads, network.head_dim)
    assert (mlp.fc1.in_features, mlp.fc1.out_features) == (network.dim, network.hidden)
    assert model.pos_embed.shape[1] == network.tokens
    assert model.patch_embed.proj.weight[0].numel() == network.patch_inputs
    assert model.head.out_features == network.classes


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_files(tmp_path: Path, state: dict[str, torch.Tensor], suffix: str):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"model": state}, path)
    else:
        save_file(state, path)
    loaded = load_model(DEIT_TINY, path).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_weights_that_do_not_fit(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = tmp_path / "weights.safetensors"
    name = "blocks.3.attn.qkv.weight"
    for change, message in (
        ({name: torch.zeros(576, 384)}, rf"{name} has shape \(576, 384\), expected \(576, 192\)"),
        ({"extra": torch.zeros(2)}, r"extra of shape \(2,\) has no place"),
    ):
        save_file({**state, **change}, path)
        with pytest.raises(UserError, match=message):
            load_model(DEIT_TINY, path)
    save_file({key: value for key, value in state.items() if key != name}, path)
    with pytest.raises(UserError, match=rf"{name} is missing, expected \(576, 192\)"):
        load_model(DEIT_TINY, path)


def test_weights_of_another_network(tmp_path: Path, state: dict[str, torch.Tensor]):
    save_file(state, tmp_path / "tiny.safetensors")
    with pytest.raises(UserError, match="does not fit deit_small"):
        load_model(get_network("deit_small"), tmp_path / "tiny.safetensors")


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({"a": Path("x")})])
def test_unreadable_weights(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="is unreadable") as caught:
        load_model(DEIT_TINY, tmp_path / name)
    assert "\n" not in str(caught.value)


def test_checkpoint_without_tensors(tmp_path: Path):
    for content in ([1, 2], {"model": 3}, {"pos_embed": "text"}):
        torch.save(content, tmp_path / "weights.pth")
        with pytest.raises(UserError, match="weights file"):
            load_model(DEIT_TINY, tmp_path / "weights.pth")


def test_missing_weights(tmp_path: Path):
    with pytest.raises(UserError, match="no weights file"):
        load_model(DEIT_TINY, tmp_path / "absent.pth")


def test_failed_download(monkeypatch: pytest.MonkeyPatch):
    def offline(*_args, **_options):
        raise FileNotFoundError("no connection.\nmore text")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"downloaded \(no connection\): .* --weights$"):
        load_model(DEIT_TINY)


def test_unknown_model():
    with pytest.raises(UserError, match="unknown model 'deit_huge': expected one of deit_tiny"):
        get_network("deit_huge")
