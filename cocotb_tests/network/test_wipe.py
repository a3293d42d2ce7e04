"""What a program can learn of an earlier one: much without the wipe program, nothing behind it.

The spy stores every memory that STORE reaches, all its rows, and what a norm, a head and a
selection make of what lies in those that it does not reach.
"""

import dataclasses

import numpy as np
import pytest
import torch

from cocotb_tests.network.run import run_images
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from model.program.compiler import compile_network
from model.program.memory_image import Image, ImageBuilder
from model.program.wipe import wipe_image
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.presets import get_config

CONFIG = get_config("tiny")
RANGES = transfers(CONFIG)
STORED = [target for target, allowed in RANGES.items() if allowed.stores]
ROWS = sum(RANGES[target].rows for target in STORED)
SECRET = Network(
    name="tiny", heads=2, layers=1, head_dim=8, grid=(4, 4), colours=1, patch=(2, 4), classes=3
)


def secret(seed: int) -> Image:
    """A network whose program loads other numbers into every memory behind its own."""
    masks = torch.rand(SECRET.mask_shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    image = compile_network(CONFIG, random_network(SECRET, seed), masks, [5])
    data = image.with_patches(random_patches(SECRET, 1, seed))
    return dataclasses.replace(image, data=data)


def noise(seed: int) -> Image:
    """Random bytes for every memory that LOAD reaches, and a head that sees them."""
    rng = np.random.default_rng(seed)
    builder = ImageBuilder(CONFIG)
    builder.emit(Opcode.SET_TOKENS, count=CONFIG.max_tokens - seed)
    for target, allowed in RANGES.items():
        if allowed.loads:
            builder.load(target, rng.bytes(allowed.rows * CONFIG.width), barrier=True)
    scale = {"multiplier": 1 << 15, "shift": 18}
    builder.emit(Opcode.ATTEND, pitch=1, accumulate=1, scale_a=scale, scale_b=scale)
    return builder.finish()


def spy(address: int) -> Image:
    """Stores to `address`: first what lies there, then what commands make of it."""
    builder = ImageBuilder(CONFIG)

    def store_all() -> None:
        nonlocal address
        for target in STORED:
            rows = RANGES[target].rows
            builder.emit(Opcode.STORE, target=target, count=rows, address=address)
            address += rows * CONFIG.width

    store_all()
    scale = {"multiplier": 1 << 15, "shift": 18}
    builder.emit(Opcode.SET_TOKENS, count=CONFIG.max_tokens)
    ramp = bytes(i % 251 for i in range(RANGES[Target.RESIDUAL].rows * CONFIG.width))
    builder.load(Target.RESIDUAL, ramp, barrier=True)
    builder.emit(Opcode.NORM, dim=CONFIG.max_dim, scale_a=scale, scale_b=scale)
    builder.emit(Opcode.ATTEND, pitch=1, accumulate=1, scale_a=scale, scale_b=scale)
    store_all()
    builder.emit(Opcode.PRUNE, count=3)
    store_all()
    return builder.finish()


def views(config: AcceleratorConfig, programs: list[Image], simulator: str) -> list[np.ndarray]:
    """What the spy stored in each of its runs, the programs run one behind the other."""
    size = max(len(program.data) for program in programs)
    size += -size % config.width
    images = [spy(size) if program is SPY else program for program in programs]
    data = np.zeros((len(images), size), np.uint8)
    for row, image in zip(data, images, strict=True):
        row[: len(image.data)] = image.data
    whole = dataclasses.replace(images[0], memory_bytes=size + 3 * ROWS * config.width)
    runs = run_images(config, whole, data, simulator=simulator, seed=3)
    assert all(run.error == ErrorCode.NONE for run in runs)
    return [run.memory[size:] for run, p in zip(runs, programs, strict=True) if p is SPY]


SPY = spy(0)


@pytest.mark.long("icarus")
def test_wipe(simulator):
    """Zeros behind the wipe, and the same view whatever ran before."""
    wipe = wipe_image(CONFIG)
    programs = [secret(1), noise(1), SPY, wipe, SPY, secret(2), noise(2), SPY, wipe, SPY]
    # The first one also gives memory, where the others leave it alone, a value.
    _, first, first_wiped, second, second_wiped = views(CONFIG, [SPY, *programs], simulator)
    assert (first != second).mean() > 0.5
    assert np.array_equal(first_wiped, second_wiped)
    at = 0
    for target in STORED:
        size = RANGES[target].rows * CONFIG.width
        seen = first_wiped[at : at + size]
        assert not seen.any(), target.name
        # No token is live any more when a program has ended.
        assert first[at : at + size].any() == (target != Target.LIVE), target.name
        at += size


@pytest.mark.long("verilator")
def test_it_ends_on_another_size(simulator):
    """As it does only if every command has as many rows behind it as it takes."""
    config = get_config("tiny", lanes=4, max_heads=3, max_dim=24)
    wipe = wipe_image(config)
    (run,) = run_images(config, wipe, np.frombuffer(wipe.data, np.uint8)[None], simulator=simulator)
    assert run.error == ErrorCode.NONE
