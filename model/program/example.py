"""A small network for the testbench that goes with the Verilog: seeded, for any configuration."""

import torch

from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from model.program.compiler import compile_network
from rtl_gen.config import AcceleratorConfig
from rtl_gen.emit.simulation import Example

SEED = 1
HEAD_DIM, GRID, PATCH, CLASSES, KEPT = 8, (3, 4), (2, 2), 10, 6


def example_program(config: AcceleratorConfig) -> Example:
    """A layer with half of its attention masked and half of its tokens pruned, a picture a core,
    and its logits as the golden model has them.
    """
    shape = Network(
        name="example",
        heads=min(2, config.max_heads),
        layers=1,
        head_dim=HEAD_DIM,
        grid=GRID,
        patch=PATCH,
        classes=CLASSES,
    )
    network, patches = random_network(shape, SEED), random_patches(shape, config.cores, SEED)
    masks = torch.rand(shape.mask_shape, generator=torch.Generator().manual_seed(SEED)) < 0.5
    masks[..., 0, :] = masks[..., 0] = True
    image = compile_network(config, network, masks, [KEPT])
    logits = trace(network, patches, masks, [KEPT])["logits"].reshape(config.cores, CLASSES)
    (bits,) = {stored.bits for stored in image.stored}
    return Example(
        image=image.with_patches(patches).tobytes(),
        memory_bytes=image.memory_bytes,
        logits={
            stored.address + number * bits // 8: value
            for stored, values in zip(image.stored, logits.tolist(), strict=True)
            for number, value in enumerate(values)
        },
        logit_bytes=bits // 8,
    )
