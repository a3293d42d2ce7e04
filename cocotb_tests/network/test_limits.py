"""Configurations other than the presets, filled to their limits by a network of one layer.

Every width follows from the configuration: a layer has all the slices and groups of outputs, a
token all the rows, that this one can hold. Bit-exact, every tensor that lies in a memory.
"""

import random

import pytest
import torch

from cocotb_tests.network.check import check_network
from cocotb_tests.network.run import MemoryModel, run_image
from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from model.program.compiler import compile_network
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.presets import get_config


def full_network(config: AcceleratorConfig, tokens: int, heads: int) -> Network:
    """As many patch inputs, hidden channels and classes as `heads` heads and the memories allow."""
    dim, most = heads * config.width, 4 * config.max_dim
    return Network(
        name="full",
        heads=heads,
        layers=1,
        head_dim=config.width,
        grid=(1, tokens - 1),
        colours=1,
        patch=(1, most),
        classes=most - 1,
        mlp_ratio=most // dim,
    )


def run_full_network(
    config: AcceleratorConfig, shape: Network, keep: int | None, simulator: str
) -> None:
    network, patches = random_network(shape, 5), random_patches(shape, 1, 5)
    masks = torch.rand(shape.mask_shape, generator=torch.Generator().manual_seed(5)) < 0.4
    masks[..., 0] = masks[..., 0, :] = True
    image = compile_network(config, network, masks, [keep], dump=True)
    slices = max(c["slices"] for c in image.commands if c["opcode"] == Opcode.LINEAR)
    tiles = max(c["tiles"] for c in image.commands if c["opcode"] == Opcode.LINEAR)
    assert slices == 4 * config.max_dim // config.width
    assert tiles == 4 * config.max_dim // config.lanes
    golden, data = trace(network, patches, masks, [keep]), image.with_patches(patches)
    memory = MemoryModel(latency=5)
    run = run_image(config, image, data, simulator=simulator, memory=memory, seed=5)
    assert check_network(image, golden, run) > shape.tokens * shape.dim


@pytest.mark.long
def test_long_rows(simulator):
    """128 slices, 512 groups, a pitch of 128 rows."""
    config = get_config("tiny", max_dim=256)
    run_full_network(config, full_network(config, 3, heads=1), 2, simulator)


@pytest.mark.long
@pytest.mark.parametrize(("preset", "max_dim"), [("tiny", 1024), ("small", 528)])
def test_longer_rows(preset, max_dim):
    """512 rows a token, and 132 of wider ones; Icarus would take minutes."""
    config = get_config(preset, max_dim=max_dim)
    run_full_network(config, full_network(config, 9, heads=1), 3, "verilator")


def odd_config(seed: int) -> AcceleratorConfig:
    """A small machine of any proportions; in the first one a row is two lanes wide."""
    rng = random.Random(seed)
    lanes, width = [(8, 16), (2, 8), (2, 16)][seed]
    rows = rng.randint(1, 3)
    return AcceleratorConfig(
        lanes=lanes,
        width=width,
        max_tokens=rng.randint(2 * lanes, 2 * lanes + 5),
        max_heads=rows,
        max_dim=rows * width,
        bus_bytes=rng.choice([b for b in (2, 4, 8, 16) if lanes <= b <= width]),
        row_slots=rng.choice([2, 4, 8]),
        stream_beats=rng.choice([16, 32, 64]),
    )


@pytest.mark.parametrize(
    "seed", [pytest.param(0, marks=pytest.mark.long), 1, pytest.param(2, marks=pytest.mark.long)]
)
def test_odd_configuration(seed):
    """On Icarus, which builds at once: all tokens and heads that there are."""
    config = odd_config(seed)
    shape = full_network(config, config.max_tokens, config.max_heads)
    run_full_network(config, shape, config.max_tokens // 2, "icarus")


def test_image_for_another_clock(simulator):
    """Frequency, bus, read-ahead and rows in flight of the compiler's hardware do not matter."""
    config = get_config("tiny")
    other = get_config("tiny", frequency_mhz=75, bus_bytes=8, row_slots=8, stream_beats=64)
    shape = Network(
        name="one", heads=1, layers=1, head_dim=8, grid=(2, 4), colours=1, patch=(2, 4), classes=3
    )
    network, patches = random_network(shape, 2), random_patches(shape, 1, 2)
    masks = torch.ones(shape.mask_shape, dtype=torch.bool)
    image = compile_network(other, network, masks, [4])
    data = image.with_patches(patches)
    run = run_image(config, image, data, simulator=simulator, memory=MemoryModel(latency=5))
    assert check_network(image, trace(network, patches, masks, [4]), run) == shape.classes
