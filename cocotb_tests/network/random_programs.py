"""Random plain ViTs as programs, each from its seed, with what the golden model makes of them.

Shapes are those of random timm models over every choice that an accelerator has; parameters are
random integers that use their formats.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.random_models import random_model
from model.network.shape import Network
from model.program.compiler import compile_network, fewest_tokens
from model.program.memory_image import Image
from rtl_gen.config import AcceleratorConfig


@dataclass(frozen=True)
class RandomProgram:
    """A network's program and its bytes with an input; every tensor of the golden model."""

    seed: int
    shape: Network
    image: Image
    data: np.ndarray
    golden: dict[str, Tensor]
    masks: Tensor


def random_programs(config: AcceleratorConfig, seeds: range) -> Iterator[RandomProgram]:
    """One a seed; three of four store all of their tensors."""
    for seed in seeds:
        rng = random.Random(seed)
        shape = Network.from_timm(random_model(config, seed), f"seed {seed}")
        network, patches = random_network(shape, seed), random_patches(shape, 1, seed)
        masks, keep = _masks(shape, rng), _keep(shape, rng)
        image = compile_network(config, network, masks, keep, dump=seed % 4 != 0)
        golden = trace(network, patches, masks, keep)
        yield RandomProgram(seed, shape, image, image.with_patches(patches), golden, masks)


def _keep(shape: Network, rng: random.Random) -> list[int | None]:
    """Fewer and fewer tokens, or as many, in some of the layers."""
    keep, most = [], shape.tokens
    for _ in range(shape.layers):
        count = rng.randint(fewest_tokens(shape), most) if rng.random() < 0.6 else None
        keep.append(count)
        most = most if count is None else count
    return keep


def _masks(shape: Network, rng: random.Random) -> Tensor:
    """Rows and columns of the prefix, and the diagonal, are kept."""
    generator = torch.Generator().manual_seed(rng.randrange(1 << 31))
    masks = torch.rand(shape.mask_shape, generator=generator) < rng.choice([0.1, 0.4, 1.0])
    masks[..., : shape.prefix_tokens, :] = masks[..., : shape.prefix_tokens] = True
    return masks | torch.eye(shape.tokens, dtype=torch.bool)
