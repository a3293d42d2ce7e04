"""Averaged maps against timm's own probabilities; the file format; the project's asset."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from model.attention.maps import (
    AttentionMaps,
    average_attention,
    capture_qkv,
    load_attention_maps,
)
from model.data.image_folder import ImageFolder
from model.network.names import ASSETS, DEIT_TINY
from model.network.shape import Network
from rtl_gen.errors import UserError


def timm_attention(model: VisionTransformer, images: torch.Tensor) -> np.ndarray:
    """What enters the attention dropout of timm's unfused attention, averaged over images."""
    seen = []
    for block in model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    model(images)
    return torch.stack(seen).mean(dim=1).numpy()


@pytest.fixture
def toy_folder(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> ImageFolder:
    """The folder's images, shrunk to what the toy model takes."""
    original = ImageFolder.batches

    def small(self, model, size):
        for images, labels in original(self, model, size):
            yield torch.nn.functional.interpolate(images, 32), labels

    monkeypatch.setattr(ImageFolder, "batches", small)
    return ImageFolder(image_folder)


def test_average(toy_network: Network, toy_model: VisionTransformer, toy_folder: ImageFolder):
    done = []
    maps = average_attention(toy_network, toy_model, toy_folder, 3, done.append)
    assert done == [3, 3, 1]
    images = torch.cat([batch for batch, _ in toy_folder.batches(toy_model, 7)])
    np.testing.assert_allclose(maps, timm_attention(toy_model, images), rtol=1e-3, atol=1e-6)
    assert next(toy_model.parameters()).dtype == torch.float32


def test_same_bytes_for_any_batch_size(
    toy_network: Network, toy_model: VisionTransformer, toy_folder: ImageFolder
):
    files = []
    for batch_size in (1, 2, 7):
        maps = average_attention(toy_network, toy_model, toy_folder, batch_size)
        file = io.BytesIO()
        AttentionMaps(maps, {"synthetic": False}).write(file)
        files.append(file.getvalue())
    assert len(set(files)) == 1


def test_capture_qkv(toy_network: Network, toy_model: VisionTransformer):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(7))
    q, k, v = capture_qkv(toy_network, toy_model, images)
    assert q.shape == k.shape == v.shape == (4, 2, 2, 17, 8)
    seen = []
    toy_model.blocks[2].attn.qkv.register_forward_hook(lambda _, __, out: seen.append(out))
    toy_model(images)
    for part, tensor in enumerate((q, k, v)):
        for head in range(2):
            first = part * 16 + head * 8
            torch.testing.assert_close(tensor[2, :, head], seen[0][..., first : first + 8])


def test_file_round_trip(tmp_path: Path):
    maps = np.random.default_rng(1).dirichlet(np.full(17, 0.1), size=(2, 2, 17))
    path = tmp_path / "maps.npz"
    with path.open("wb") as file:
        AttentionMaps(maps, {"network": "toy", "synthetic": True}).write(file)
    back = load_attention_maps(path)
    assert back.metadata == {"network": "toy", "synthetic": True}
    assert back.synthetic
    large = maps > 1e-8
    np.testing.assert_allclose(back.maps[large], maps[large], rtol=4e-4)
    assert back.maps[~large].max() < 2e-8


def test_asset():
    asset = load_attention_maps("deit_tiny")
    assert asset.maps.shape == DEIT_TINY.mask_shape
    assert not asset.synthetic
    assert asset.metadata["images"] == 500
    assert ASSETS.joinpath("deit_tiny.npz").stat().st_size <= 3_000_000
    np.testing.assert_allclose(asset.maps.sum(axis=-1), 1, rtol=1e-12)


def test_asset_describes_the_real_model(
    real_model: VisionTransformer, real_weights: Path, real_images: Path
):
    """Other images: each head of layers 0 to 7 resembles its own map of the asset most.

    Later layers follow the content of the image, so that a few images say little of the average.
    """
    asset = load_attention_maps("deit_tiny")
    digest = hashlib.sha256(real_weights.read_bytes()).hexdigest()
    assert asset.metadata["weights_sha256"] == digest
    images, _ = next(ImageFolder(real_images, limit=16).batches(real_model, 16))
    measured = timm_attention(real_model, images)[:8].reshape(24, -1)
    stored = asset.maps.reshape(36, -1)
    correlation = np.corrcoef(measured, stored)[:24, 24:]
    assert correlation.argmax(axis=1).tolist() == list(range(24))


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_unreadable_files(tmp_path: Path, content: bytes | None):
    path = tmp_path / "maps.npz"
    if content is None:
        np.savez(path, levels=np.zeros(3), metadata=np.array("{}"))
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="are unreadable"):
        load_attention_maps(path)
    np.save(tmp_path / "maps.npy", np.zeros(3))
    with pytest.raises(UserError, match="are unreadable"):
        load_attention_maps(tmp_path / "maps.npy")


def test_absent_maps(tmp_path: Path):
    with pytest.raises(UserError, match="no measured attention maps of deit_base"):
        load_attention_maps("deit_base")
    with pytest.raises(UserError, match=r"expected a \.npz file or one of deit_tiny"):
        load_attention_maps(tmp_path / "absent.npz")
