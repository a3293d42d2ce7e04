"""Several cores on one program stream: a picture each, every bit and every counter as predicted."""

import dataclasses

import numpy as np
import pytest
import torch

from cocotb_tests.network.check import check_network
from cocotb_tests.network.run import MemoryModel, RtlRun, run_images
from cocotb_tests.network.test_network import NETWORKS, STALLING, random_masks
from model.integer.forward import trace
from model.integer.network import IntegerNetwork
from model.integer.random_network import random_network, random_patches
from model.program.compiler import compile_network
from model.program.memory_image import Image
from rtl_gen.config import AcceleratorConfig
from rtl_gen.presets import get_config
from sim_models.predict import predict_network

FAR = MemoryModel(latency=100, rate=3)


class Batches:
    """Batches of a preset's network, pruned behind each of its layers, on so many cores."""

    def __init__(self, preset: str, cores: int, *, layers: int, dump: bool, seed: int = 5):
        self.config: AcceleratorConfig = get_config(preset, cores=cores)
        shape = dataclasses.replace(NETWORKS[preset], layers=layers)
        self.network: IntegerNetwork = random_network(shape, seed)
        self.masks = random_masks(shape, 0.4, seed)
        self.keep = [shape.tokens // 2, shape.tokens // 4][:layers]
        self.image: Image = compile_network(
            self.config, self.network, self.masks, self.keep, dump=dump
        )
        self.pictures = random_patches(shape, cores, seed)

    def run(self, simulator: str, memory: MemoryModel, *batches: torch.Tensor) -> list[RtlRun]:
        """Batches one behind the other on one program; all that they store is right."""
        data = np.stack([self.image.with_patches(batch) for batch in batches])
        runs = run_images(self.config, self.image, data, simulator=simulator, memory=memory)
        for batch, run in zip(batches, runs, strict=True):
            filled = self.image.filled(batch)
            golden = trace(self.network, filled, self.masks, self.keep)
            assert check_network(self.image, golden, run)
            if not memory.stall:
                predicted = predict_network(self.config, self.image, self.masks, golden, memory)
                assert predicted == run.counters
        return runs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Two cores of the preset `tiny`; with --cores as many as it says, of `small` as well."""
    if "cores" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("cores")
    presets, cores = (["tiny"], 2) if wanted is None else (list(NETWORKS), wanted)
    memories = {"stalls": STALLING, "far": FAR}
    metafunc.parametrize(
        ("preset", "cores", "memory"),
        [
            pytest.param(preset, cores, memory, id=f"{preset}-{cores}-{name}")
            for preset in presets
            for name, memory in memories.items()
        ],
    )


@pytest.mark.long("icarus")
def test_every_tensor_of_every_core(simulator, preset, cores, memory):
    batches = Batches(preset, cores, layers=2, dump=True)
    batches.run(simulator, memory, batches.pictures)


@pytest.mark.long("icarus")
def test_pictures_do_not_see_their_neighbours(simulator):
    """In another order they have the same results; a core without a picture changes no other's."""
    batches = Batches("tiny", 2, layers=1, dump=False)
    first, second = batches.pictures
    runs = batches.run(
        simulator, FAR, *map(torch.stack, ([first, second], [second, first], [second]))
    )
    straight, swapped, alone = (batches.image.logits(run.memory) for run in runs)
    assert np.array_equal(straight, swapped[::-1])
    assert np.array_equal(straight[1], alone[0])
    assert not np.array_equal(straight[0], straight[1])
