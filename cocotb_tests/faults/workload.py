"""What runs while bits flip: a network of one layer, which needs every unit but POOL.

Several pictures take turns, so that nothing is right because it is still there from a run before.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from model.program.compiler import compile_network
from model.program.memory_image import Image
from rtl_gen.config import AcceleratorConfig
from sim_models.memory import MemoryTiming
from sim_models.predict import predict_network

PICTURES = 4
KEPT = 2
MEMORY = MemoryTiming(latency=2)
SEED = 4


def shape_for(config: AcceleratorConfig) -> Network:
    """The smallest network that prunes, with two heads if there may be two."""
    return Network(
        name="one",
        heads=min(2, config.max_heads),
        layers=1,
        head_dim=8,
        grid=(1, 3),
        colours=1,
        patch=(2, 4),
        classes=3,
    )


@dataclass(frozen=True)
class Workload:
    """A program, and what it makes of each picture, one for each core."""

    shape: Network
    image: Image
    data: list[bytes]
    """The image with each of the pictures."""
    results: list[bytes]
    """What lies behind the image in the end, as the golden model has it."""
    cycles: list[int]
    """From start to done with each, as the cycle model has them."""

    @cached_property
    def picture_bytes(self) -> list[int]:
        """Addresses of what no checksum covers: the payloads that hold pictures."""
        places = self.image.inputs
        ranges = (
            range(first, first + self.shape.tokens * place.pitch)
            for place in places
            for first in [place.address - self.shape.prefix_tokens * place.pitch]
        )
        return [address for one in ranges for address in one]

    @cached_property
    def program_bytes(self) -> list[int]:
        """Addresses of all else that is read."""
        return sorted(set(range(len(self.image.data))) - set(self.picture_bytes))


def make_workload(config: AcceleratorConfig) -> Workload:
    """The same for the same configuration."""
    shape = shape_for(config)
    network = random_network(shape, SEED)
    masks = torch.ones(shape.mask_shape, dtype=torch.bool)
    image = compile_network(config, network, masks, keep=[KEPT])
    data, results, cycles = [], [], []
    for number in range(PICTURES):
        pictures = random_patches(shape, config.cores, SEED + number)
        golden = trace(network, pictures, masks, [KEPT])
        data.append(image.with_patches(pictures).tobytes())
        results.append(_stored(config, image, golden["logits"]))
        predicted = predict_network(config, image, masks, golden, MEMORY)
        cycles.append(predicted["cycles"])
    return Workload(shape, image, data, results, cycles)


def _stored(config: AcceleratorConfig, image: Image, logits: torch.Tensor) -> bytes:
    """Rows of the logits of all cores; what fills them is zero."""
    rows = logits.reshape(config.cores, -1).numpy().astype("<i2")
    sizes = [tensor.rows * config.width for tensor in image.stored]
    parts = zip(rows, sizes, strict=True)
    return b"".join(row.tobytes().ljust(size, b"\0") for row, size in parts)
