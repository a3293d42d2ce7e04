"""A tiny float network from which heads, channels and classes were pruned, and its integers."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timm.models.vision_transformer import VisionTransformer

from model.data.image_folder import ImageFolder
from model.integer.network import IntegerNetwork
from model.network.shape import Network
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference

SHAPE = Network(name="pruned", heads=2, layers=2, head_dim=8, grid=(4, 4), patch=(4, 4), classes=11)
"""What the preset `tiny` holds."""

LAYER, HEAD = 1, 0
"""Of this layer one head is zero; the other layer's FFN is zero as a whole."""

HIDDEN = (3, 9, 40)
"""Hidden channels of `LAYER` that are zero."""

CLASSES = (2, 5)
"""Without weights and bias."""

CHANNEL = 6
"""Of the residual stream: nothing but the patch embedding's bias is ever in it."""


def pruned_model() -> VisionTransformer:
    """Seeded weights, of which many are zero."""
    torch.manual_seed(4)
    model = VisionTransformer(
        img_size=SHAPE.image_size,
        patch_size=SHAPE.patch,
        embed_dim=SHAPE.dim,
        depth=SHAPE.layers,
        num_heads=SHAPE.heads,
        num_classes=SHAPE.classes,
    )
    for block in model.blocks:
        torch.nn.init.normal_(block.attn.qkv.weight, std=0.3)
        torch.nn.init.normal_(block.attn.qkv.bias, std=0.1)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    model.pretrained_cfg = {"input_size": (3, *SHAPE.image_size)}
    model.eval().requires_grad_(False)

    block, channels = model.blocks[LAYER], slice(HEAD * SHAPE.head_dim, (HEAD + 1) * SHAPE.head_dim)
    for values in (block.attn.qkv.weight, block.attn.qkv.bias):
        values.unflatten(0, (3, SHAPE.dim))[:, channels] = 0
    block.attn.proj.weight[:, channels] = 0
    for values in (block.mlp.fc1.weight, block.mlp.fc1.bias):
        values[list(HIDDEN)] = 0
    block.mlp.fc2.weight[:, list(HIDDEN)] = 0
    block.mlp.fc1.weight.view(-1)[::3] = 0
    for layer in (model.blocks[1 - LAYER].mlp.fc1, model.blocks[1 - LAYER].mlp.fc2):
        for values in (layer.weight, layer.bias):
            values[...] = 0
    for values in (model.head.weight, model.head.bias):
        values[list(CLASSES)] = 0
    model.cls_token[..., CHANNEL] = model.pos_embed[..., CHANNEL] = 0
    model.patch_embed.proj.weight[CHANNEL] = 0
    for each in model.blocks:
        for layer in (each.attn.proj, each.mlp.fc2):
            layer.weight[CHANNEL] = layer.bias[CHANNEL] = 0
    return model


def noise(folder: Path, images: int) -> ImageFolder:
    """Images of noise, which are written into a folder as class 3."""
    rng = np.random.default_rng(8)
    (folder / "003").mkdir()
    for index in range(images):
        pixels = rng.integers(0, 256, (*SHAPE.image_size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "003" / f"{index}.png")
    return ImageFolder(folder)


def pruned_integers(folder: Path, images: int) -> IntegerNetwork:
    """Calibrated with images of noise."""
    reference = FloatReference(network=SHAPE, model=pruned_model())
    return quantise_network(reference, noise(folder, images))
