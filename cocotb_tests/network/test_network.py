"""Whole networks in RTL against the integer golden model: every tensor that lies in a memory."""

import pytest
import torch

from cocotb_tests.network.check import check_network
from cocotb_tests.network.run import MemoryModel, run_image
from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from model.program.compiler import compile_network
from model.tests.pruned import pruned_integers
from rtl_gen.presets import PRESETS

# What fills the presets: all their tokens and channels, several layers, classes no multiple of
# lanes.
NETWORKS = {
    "tiny": Network(
        name="tiny", heads=2, layers=2, head_dim=8, grid=(4, 4), patch=(2, 4), classes=11
    ),
    "small": Network(
        name="small", heads=3, layers=2, head_dim=16, grid=(7, 7), patch=(4, 4), classes=10
    ),
}

STALLING = MemoryModel(latency=23, stall=0.3)


def random_masks(shape: Network, density: float, seed: int) -> torch.Tensor:
    """Random entries, CLS row and column kept."""
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(shape.mask_shape, generator=generator) < density
    masks[..., 0] = masks[..., 0, :] = True
    return masks


def run_and_check(preset, shape, simulator, *, density, keep, memory, seed):
    network, masks = random_network(shape, seed), random_masks(shape, density, seed)
    return check_on(preset, network, masks, simulator, keep=keep, memory=memory, seed=seed)


def check_on(preset, network, masks, simulator, *, keep, memory, seed):
    config, patches = PRESETS[preset], random_patches(network.shape, 1, seed)
    image = compile_network(config, network, masks, keep, dump=True)
    data = image.with_patches(patches)
    run = run_image(config, image, data, simulator=simulator, memory=memory, seed=seed)
    return check_network(image, trace(network, patches, masks, keep), run)


@pytest.mark.parametrize(
    ("density", "keep", "memory"),
    [
        pytest.param(
            1.0,
            [None, None],
            MemoryModel(latency=2),
            id="dense",
            marks=pytest.mark.long("icarus"),
        ),
        pytest.param(0.4, [9, 4], STALLING, id="sparse-pruned-stalls"),
        pytest.param(0.0, [1, 1], MemoryModel(), id="cls-only", marks=pytest.mark.long("icarus")),
    ],
)
def test_tiny_network(simulator, density, keep, memory):
    shape = NETWORKS["tiny"]
    compared = run_and_check(
        "tiny", shape, simulator, density=density, keep=keep, memory=memory, seed=7
    )
    assert compared > 2 * shape.tokens * shape.dim


@pytest.mark.long("icarus")
def test_small_network(simulator):
    """Two layers of 50 tokens and 3 heads."""
    shape = NETWORKS["small"]
    run_and_check(
        "small",
        shape,
        simulator,
        density=0.3,
        keep=[shape.tokens // 2, shape.tokens // 4],
        memory=MemoryModel(latency=100, rate=8),
        seed=3,
    )


@pytest.mark.long("icarus")
def test_pruned_network(simulator, tmp_path):
    """Calibrated from a float network with a zero head, zero channels, FFN and classes."""
    network = pruned_integers(tmp_path, 8)
    masks = random_masks(network.shape, 0.5, 5)
    check_on(
        "tiny", network, masks, simulator, keep=[12, None], memory=MemoryModel(latency=2), seed=5
    )


def test_one_token(simulator):
    """A sequence of CLS alone, at the shortest passes that there are."""
    shape = Network(
        name="one", heads=1, layers=1, head_dim=8, grid=(1, 0), colours=1, patch=(2, 4), classes=3
    )
    run_and_check(
        "tiny", shape, simulator, density=1.0, keep=[None], memory=MemoryModel(latency=2), seed=1
    )
