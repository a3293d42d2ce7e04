"""Random plain ViTs in RTL: every stored tensor and every counter, many networks a simulation.

Shapes are those of random timm models over every choice that the accelerator has; parameters are
random integers that use their formats. The seeds are the tests' names.
"""

import random

import pytest
import torch

from cocotb_tests.network.check import check_network
from cocotb_tests.network.run import MemoryModel, run_programs
from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.random_models import random_model
from model.network.readout import FinalNorm, Readout
from model.network.shape import Network
from model.program.compiler import compile_network, fewest_tokens
from rtl_gen.presets import get_config
from sim_models.predict import predict_network

A_SIMULATION = 16
"""Networks, one behind the other."""


def random_keep(shape: Network, rng: random.Random) -> list[int | None]:
    """Fewer and fewer tokens, or as many, in some of the layers."""
    keep, most = [], shape.tokens
    for _ in range(shape.layers):
        count = rng.randint(fewest_tokens(shape), most) if rng.random() < 0.6 else None
        keep.append(count)
        most = most if count is None else count
    return keep


def random_masks(shape: Network, rng: random.Random) -> torch.Tensor:
    """Rows and columns of the prefix, and the diagonal, are kept."""
    generator = torch.Generator().manual_seed(rng.randrange(1 << 31))
    masks = torch.rand(shape.mask_shape, generator=generator) < rng.choice([0.1, 0.4, 1.0])
    masks[..., : shape.prefix_tokens, :] = masks[..., : shape.prefix_tokens] = True
    return masks | torch.eye(shape.tokens, dtype=torch.bool)


def programs(preset: str, seeds: range):
    """(image, bytes, golden tensors, masks) of each seed's network."""
    config = get_config(preset)
    for seed in seeds:
        rng = random.Random(seed)
        shape = Network.from_timm(random_model(config, seed), f"{preset} {seed}")
        network, patches = random_network(shape, seed), random_patches(shape, 1, seed)
        masks, keep = random_masks(shape, rng), random_keep(shape, rng)
        image = compile_network(config, network, masks, keep, dump=seed % 4 != 0)
        yield image, image.with_patches(patches), trace(network, patches, masks, keep), masks


@pytest.mark.parametrize(
    ("preset", "seeds"),
    [
        pytest.param("tiny", range(16), id="tiny-0-15"),
        pytest.param("tiny", range(16, 32), id="tiny-16-31"),
        pytest.param("small", range(32, 48), id="small-32-47"),
    ],
)
def test_random_networks(simulator, preset, seeds):
    if simulator == "icarus":
        if preset != "tiny":
            pytest.skip("Icarus takes minutes for as many cycles; Verilator runs them")
        seeds = seeds[:3]
    rng = random.Random(seeds.start)
    config, memory = get_config(preset), MemoryModel(latency=rng.choice([2, 23, 100]))
    cases = list(programs(preset, seeds))
    pairs = [(image, data) for image, data, _, _ in cases]
    runs = run_programs(config, pairs, simulator=simulator, memory=memory)
    for seed, (image, _, golden, masks), run in zip(seeds, cases, runs, strict=True):
        print(f"{preset}, seed {seed}: {len(image.commands)} commands")
        assert check_network(image, golden, run)
        assert predict_network(config, image, masks, golden, memory) == run.counters


@pytest.mark.parametrize("final_norm", FinalNorm)
def test_mean_of_tokens_without_the_first(simulator, final_norm):
    """Nothing protects token 0, and hardly anybody looks at it: it goes, and the mean takes its
    rows.
    """
    config, memory = get_config("tiny"), MemoryModel(latency=7)
    shape = Network(
        name="mean",
        heads=2,
        layers=1,
        head_dim=5,
        grid=(3, 4),
        patch=(2, 2),
        classes=9,
        prefix_tokens=0,
        readout=Readout.MEAN,
        final_norm=final_norm,
    )
    network, patches, keep = random_network(shape, 3), random_patches(shape, 1, 3), [6]
    masks = torch.ones(shape.mask_shape, dtype=torch.bool)
    masks[..., 1:, 0] = False
    image = compile_network(config, network, masks, keep, dump=True)
    golden = trace(network, patches, masks, keep)
    assert not golden["layers.0.survivors"][0, 0]
    pairs = [(image, image.with_patches(patches))]
    (run,) = run_programs(config, pairs, simulator=simulator, memory=memory)
    assert check_network(image, golden, run)
    assert predict_network(config, image, masks, golden, memory) == run.counters
