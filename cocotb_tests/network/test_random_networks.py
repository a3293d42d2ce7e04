"""Random plain ViTs in RTL: every stored tensor and every counter, many networks a simulation.

The seeds are the tests' names.
"""

import random

import pytest
import torch

from cocotb_tests.network.check import check_network
from cocotb_tests.network.random_programs import random_programs
from cocotb_tests.network.run import MemoryModel, run_programs
from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.readout import FinalNorm, Readout
from model.network.shape import Network
from model.program.compiler import compile_network
from rtl_gen.presets import get_config
from sim_models.predict import predict_network


@pytest.mark.parametrize(
    ("preset", "seeds"),
    [
        pytest.param("tiny", range(16), id="tiny-0-15"),
        pytest.param("tiny", range(16, 32), id="tiny-16-31", marks=pytest.mark.long("icarus")),
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
    cases = list(random_programs(config, seeds))
    pairs = [(case.image, case.data) for case in cases]
    runs = run_programs(config, pairs, simulator=simulator, memory=memory)
    for case, run in zip(cases, runs, strict=True):
        print(f"{preset}, seed {case.seed}: {len(case.image.commands)} commands")
        assert check_network(case.image, case.golden, run)
        assert predict_network(config, case.image, case.masks, case.golden, memory) == run.counters


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
