"""Small random networks over all choices that timm's `VisionTransformer` offers here."""

import random
from typing import Any

import torch
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

ACTIVATIONS = ("gelu", "gelu_tanh", "quick_gelu", "relu", "silu")


def draw_keywords(seed: int) -> tuple[type[VisionTransformer], dict[str, Any]]:
    """A class of timm and its keywords."""
    rng = random.Random(seed)
    patch = rng.choice([(4, 4), (8, 8), (4, 8)])
    grid = rng.choice([(3, 3), (4, 4), (2, 5), (5, 3)])
    heads, head_dim = rng.choice([1, 2, 3]), rng.choice([4, 6, 8])
    keywords: dict[str, Any] = {
        "img_size": tuple(rows * side for rows, side in zip(grid, patch, strict=True)),
        "patch_size": patch,
        "embed_dim": heads * head_dim,
        "depth": rng.choice([1, 2, 3]),
        "num_heads": heads,
        "mlp_ratio": rng.choice([1, 2.5, 4]),
        "num_classes": rng.choice([0, 1, 7, 10]),
        "qkv_bias": rng.random() < 0.5,
        "proj_bias": rng.random() < 0.7,
        "init_values": rng.choice([None, 1e-5, 0.5]),
        "no_embed_class": rng.random() < 0.5,
        "pre_norm": rng.random() < 0.5,
        "act_layer": rng.choice(ACTIVATIONS),
    }
    if rng.random() < 0.2:
        return VisionTransformerDistilled, keywords | {"no_embed_class": False}
    mean = rng.random() < 0.5
    keywords |= {
        "global_pool": "avg" if mean else "token",
        "class_token": not mean or rng.random() < 0.5,
        "reg_tokens": rng.choice([0, 0, 1, 4]),
        "fc_norm": rng.choice([None, False, True]),
        "final_norm": rng.random() < 0.8,
        "pool_include_prefix": mean and rng.random() < 0.3,
    }
    return VisionTransformer, keywords


def draw_model(seed: int) -> VisionTransformer:
    """In evaluation mode and float64; no parameter is 0, attention is far from uniform."""
    kind, keywords = draw_keywords(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind(**keywords).eval().double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(noise if "qkv" in name else 0.3 * noise)
    for block in model.blocks:
        block.attn.fused_attn = False
    return model.requires_grad_(False)


def draw_images(model: VisionTransformer, count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (count, 3, *model.patch_embed.img_size)
    return torch.randn(size, generator=generator, dtype=torch.float64)
