"""Seeded random Vision Transformers that a configuration holds, over every choice that timm's
`VisionTransformer` offers and the accelerator has.

Small ones, for proofs: of the integers against the float network, of the RTL against the integers.
Weights are spread so that every part matters to the outputs.
"""

import math
import random
from typing import Any

import torch
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from model.data.preprocessing import COLOURS, Preprocessing
from rtl_gen.config import AcceleratorConfig

NONLINEARITIES = ("gelu", "gelu_tanh", "quick_gelu", "relu", "silu")
LAYER_SCALES = (None, 1e-5, 0.1, 1.0)
MOST_LAYERS = 3
REGISTERS = (0, 0, 1, 3, 4, 4)


def random_model(config: AcceleratorConfig, seed: int) -> VisionTransformer:
    """The model of a seed, in evaluation mode, with a preprocessing; `Network.from_timm` reads its
    shape.
    """
    rng = random.Random(seed)
    kind = VisionTransformerDistilled if rng.random() < 0.2 else VisionTransformer
    model = kind(**_options(config, rng, distilled=kind is VisionTransformerDistilled))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in model.named_parameters():
            _spread(name, values, generator)
    model.pretrained_cfg = {
        "input_size": (COLOURS, *model.patch_embed.img_size),
        "mean": tuple(round(rng.uniform(0.3, 0.6), 3) for _ in range(COLOURS)),
        "std": tuple(round(rng.uniform(0.2, 0.5), 3) for _ in range(COLOURS)),
    }
    return model.eval().requires_grad_(False)


def random_pictures(model: VisionTransformer, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pixels (count, 3, h, w), uint8, of smooth pictures, and the same normalised for a model."""
    generator = torch.Generator().manual_seed(seed)
    size = model.patch_embed.img_size
    coarse = torch.rand((count, COLOURS, 3, 3), generator=generator)
    smooth = nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=True)
    noise = torch.rand(smooth.shape, generator=generator)
    pixels = ((0.8 * smooth + 0.2 * noise) * 255).round()
    preprocessing = Preprocessing.of(model)
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std)
    )
    return pixels.to(torch.uint8), (pixels / 255 - mean) / std


def _options(config: AcceleratorConfig, rng: random.Random, *, distilled: bool) -> dict[str, Any]:
    heads = rng.randint(1, min(config.max_heads, config.hidden_dim // config.width))
    head_dim = rng.randint(2, min(config.width, config.max_dim // heads))
    dim = heads * head_dim
    class_token = distilled or rng.random() < 0.7
    registers = 0 if distilled else rng.choice(REGISTERS)
    prefix = class_token + registers + distilled
    patches = rng.randint(1, config.max_tokens - prefix)
    rows = rng.randint(1, math.isqrt(patches))
    patch = _patch(config, rng)
    pool = "token" if distilled or (class_token and rng.random() < 0.5) else "avg"
    return {
        "img_size": (rows * patch[0], patches // rows * patch[1]),
        "patch_size": patch,
        "num_classes": rng.choice((0, rng.randint(1, config.max_dim), config.hidden_dim + 1)),
        "global_pool": pool,
        "embed_dim": dim,
        "depth": rng.randint(1, MOST_LAYERS),
        "num_heads": heads,
        "mlp_ratio": (rng.randint(1, config.hidden_dim) + 0.5) / dim,
        "qkv_bias": rng.random() < 0.7,
        "proj_bias": rng.random() < 0.8,
        "init_values": rng.choice(LAYER_SCALES),
        "class_token": class_token,
        "reg_tokens": registers,
        "pos_embed": rng.choice(("learn", "learn", "none")),
        "no_embed_class": not distilled and rng.random() < 0.3,
        "pre_norm": rng.random() < 0.3,
        "final_norm": rng.random() < 0.85,
        "fc_norm": rng.choice((None, False, True)),
        "pool_include_prefix": pool == "avg" and rng.random() < 0.3,
        "dynamic_img_size": rng.random() < 0.2,
        "act_layer": rng.choice(NONLINEARITIES),
    }


def _patch(config: AcceleratorConfig, rng: random.Random) -> tuple[int, int]:
    """Rows and columns of a patch."""
    most = config.hidden_dim // COLOURS
    rows = rng.randint(1, min(4, most))
    return rows, rng.randint(1, min(5, most // rows))


def _spread(name: str, values: Tensor, generator: torch.Generator) -> None:
    """Weights keep the spread of what they multiply, gains are around 1, LayerScale around its own,
    both of either sign; all else is about as large as tokens are.
    """
    noise = torch.randn(values.shape, generator=generator)
    if name.endswith(".gamma"):
        values.mul_(1 + noise / 2)
    elif "norm" in name and name.endswith("weight"):
        values.copy_(1 + noise / 3)
    elif values.dim() in (2, 4):
        values.copy_(noise / math.sqrt(values[0].numel()))
    else:
        values.copy_(noise / 3)
