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
    """A layer with half of its attention masked and half of its tokens pruned, and its logits as
    the golden model has them: those of the first core, if there are several.
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
    logits = trace(network, patches, masks, [KEPT])["logits"][0]
    stored = image.stored[0]
    kind = {8: torch.int8, 16: torch.int16}[stored.bits]
    return Example(
        image=image.with_patches(patches).tobytes(),
        memory_bytes=image.memory_bytes,
        logits_address=stored.address,
        logits=logits.to(kind).numpy().tobytes(),
        logit_bytes=stored.bits // 8,
    )
