"""The program that tells whether the accelerator still works: a network of one layer on random
numbers. Its logits depend on every unit."""

from dataclasses import dataclass

import numpy as np
import torch

from model.integer.compiler import compile_network
from model.integer.forward import forward
from model.integer.random_network import random_network, random_patches
from model.networks import Network
from rtl_gen.config import AcceleratorConfig

SHAPE = Network(name="one", heads=1, layers=1, head_dim=8, tokens=4, patch_inputs=8, classes=3)
SEED = 4


@dataclass(frozen=True)
class GoodProgram:
    """It lies at address 0."""

    data: np.ndarray  # uint8
    memory_bytes: int
    """Of the program and its result."""
    result: int
    """Address of the logits."""
    bytes: bytes
    """What the golden model expects there, in whole rows."""


def good_program(config: AcceleratorConfig) -> GoodProgram:
    """The program for a configuration with rows of 8 channels."""
    network, patches = random_network(SHAPE, SEED), random_patches(SHAPE, 1, SEED)
    masks = torch.ones(SHAPE.mask_shape, dtype=torch.bool)
    image = compile_network(config, network, masks, keep=[2])
    logits = forward(network, patches, masks, [2])[0].numpy().astype("<i2").tobytes()
    (result,) = image.stored
    return GoodProgram(
        data=image.with_patches(patches[0]),
        memory_bytes=image.memory_bytes,
        result=result.address,
        bytes=logits.ljust(result.rows * config.width, b"\0"),
    )
