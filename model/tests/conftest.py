"""Fixtures: a toy Vision Transformer, toy images, and the real model where it is at hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.vision_transformer import VisionTransformer

from model.data.image_folder import ImageFolder
from model.finetune.crops import crops_of
from model.finetune.recipe import Recipe
from model.finetune.run import Run
from model.finetune.trainer import Trainer
from model.network.names import DEIT_TINY
from model.network.shape import Network
from model.tests.toy_training import RECIPE, SCHEDULE
from model.weights.load import load_model

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data"
WEIGHTS = REAL_DATA / "deit_tiny_patch16_224.safetensors"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Toy tensors gain nothing from threads, and tests may run side by side."""
    torch.set_num_threads(1)


@pytest.fixture
def toy_network() -> Network:
    """4 x 4 patches, 2 heads of 8 channels, 4 layers."""
    return Network(name="toy", heads=2, layers=4, head_dim=8, grid=(4, 4), patch=(8, 8), classes=10)


@pytest.fixture
def toy_model(toy_network: Network) -> VisionTransformer:
    """Seeded weights, scaled up so that attention is far from uniform; images of 32 x 32 pixels."""
    torch.manual_seed(1)
    model = VisionTransformer(
        img_size=32,
        patch_size=8,
        embed_dim=toy_network.dim,
        depth=toy_network.layers,
        num_heads=toy_network.heads,
        num_classes=toy_network.classes,
    )
    for block in model.blocks:
        torch.nn.init.normal_(block.attn.qkv.weight, std=0.6)
    model.pretrained_cfg = {"input_size": (3, 32, 32)}
    return model.eval().requires_grad_(False)


@pytest.fixture
def toy_masks(toy_network: Network) -> np.ndarray:
    """About 40 % of the entries kept, CLS by every query."""
    kept = np.random.default_rng(3).random(toy_network.mask_shape) < 0.4
    kept[..., 0] = True
    return kept


@pytest.fixture
def new_trainer(toy_network: Network, toy_model: VisionTransformer, toy_masks: np.ndarray):
    """A trainer of the toy network."""

    def make(recipe: Recipe = RECIPE) -> Trainer:
        return Trainer(
            network=toy_network,
            teacher=toy_model,
            masks=toy_masks,
            schedule=SCHEDULE,
            recipe=recipe,
        )

    return make


@pytest.fixture
def new_run(new_trainer, toy_model: VisionTransformer, image_folder: Path, tmp_path: Path):
    """A run of the toy network into a folder."""

    def make(name: str, recipe: Recipe = RECIPE, **options: Any) -> Run:
        return Run(
            trainer=new_trainer(recipe),
            crops=crops_of(ImageFolder(image_folder), toy_model, recipe),
            folder=tmp_path / name,
            settings={"seed": recipe.seed, "steps": recipe.steps},
            **options,
        )

    return make


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Seven images of noise in a wnid's folder (class 1) and in a numbered one (class 7)."""
    rng = np.random.default_rng(5)
    root = tmp_path / "images"
    for folder, count in (("n01443537", 4), ("007", 3)):
        (root / folder).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{index}.png")
    return root


@pytest.fixture
def real_weights() -> Path:
    if not WEIGHTS.is_file():
        pytest.skip(f"real DeiT-Tiny weights are absent (looked for {WEIGHTS})")
    return WEIGHTS


@pytest.fixture
def real_images() -> Path:
    folder = REAL_DATA / "imagenet-mini" / "val"
    if not folder.is_dir():
        pytest.skip(f"real images are absent (looked for {folder})")
    return folder


@pytest.fixture
def real_model(real_weights: Path) -> VisionTransformer:
    return load_model(DEIT_TINY, real_weights)
