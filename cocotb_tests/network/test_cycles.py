"""The cycle model predicts every counter of the hardware before the program runs.

Attention layers, whole networks, and programs of random commands, which reach what no compiler
emits: layers of one pass, records that wait for memory, selections in any place.
"""

import dataclasses
import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from cocotb_tests.network.run import MemoryModel, run_image
from model.integer.attention import HeadScales
from model.integer.attention_layers import AttentionLayer, run_layers
from model.integer.forward import trace
from model.integer.random_network import random_network, random_patches
from model.network.shape import Network
from model.program.attention_layers import compile_layers
from model.program.compiler import compile_network
from model.program.memory_image import Image, ImageBuilder
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination, ErrorCode, Source
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.linear.weight_buffer import parameter_rows
from rtl_gen.numerics import Scale
from rtl_gen.presets import get_config
from sim_models.predict import predict_layers, predict_network
from sim_models.program import program_cycles

ONE_A_ROW, ALL = 0.0, 1.0


def check(config, image, predicted, simulator, memory, data=None, **arguments) -> None:
    run = run_image(config, image, data, simulator=simulator, memory=memory, **arguments)
    assert run.error == ErrorCode.NONE
    assert predicted == run.counters


def only_verilator(simulator: str) -> None:
    if simulator == "icarus":
        pytest.skip("Icarus takes minutes for as many cycles; Verilator runs them")


def on_default(name: str, *values: object):
    """Parameters of a test on the preset `default`, whose simulation takes a minute to build."""
    return pytest.param("default", *values, id=name, marks=pytest.mark.long)


# Attention layers --------------------------------------------------------------------------------


def random_layer(
    config: AcceleratorConfig,
    tokens: int,
    densities: Sequence[float],
    keep: int | None,
    generator: torch.Generator,
) -> AttentionLayer:
    """A layer with one head for each mask density; one entry of every row is kept in any case."""
    heads = len(densities)
    shape = (heads, tokens, config.width)
    q, k, v = (torch.randint(-128, 128, shape, generator=generator) for _ in range(3))
    density = torch.tensor(densities)[:, None, None]
    mask = torch.rand(heads, tokens, tokens, generator=generator) < density
    kept = torch.randint(tokens, (heads, tokens, 1), generator=generator)
    mask.scatter_(2, kept, value=True)
    scales = HeadScales(Scale.nearest(0.5 / config.width), Scale.nearest(1.7))
    return AttentionLayer(q, k, v, mask, (scales,) * heads, keep)


def check_layers(simulator: str, preset: str, tokens: int, memory: MemoryModel) -> None:
    config = get_config(preset)
    generator = torch.Generator().manual_seed(tokens)
    layers = [
        random_layer(config, tokens, [0.2, ALL], max(1, 2 * tokens // 3), generator),
        random_layer(config, tokens, [0.3, ONE_A_ROW], max(1, tokens // 5), generator),
        random_layer(config, tokens, [ALL, 0.5], None, generator),
    ]
    image = compile_layers(config, tokens, layers)
    predicted = predict_layers(config, image, layers, run_layers(tokens, layers), memory)
    check(config, image, predicted, simulator, memory)


@pytest.mark.parametrize(
    ("preset", "tokens", "memory"),
    [
        pytest.param("tiny", 1, MemoryModel(latency=2), id="tiny-1-token"),
        pytest.param("tiny", 17, MemoryModel(latency=23, rate=2), id="tiny-half-rate"),
        pytest.param("tiny", 9, MemoryModel(latency=100, rate=3), id="tiny-far"),
        pytest.param("small", 22, MemoryModel(latency=2, rate=16), id="small"),
    ],
)
def test_layers(simulator, preset, tokens, memory):
    check_layers(simulator, preset, tokens, memory)


@pytest.mark.parametrize(
    ("preset", "tokens", "memory"),
    [
        pytest.param("small", 50, MemoryModel(latency=100, rate=8), id="small-half-rate"),
        on_default("default-near", 197, MemoryModel(latency=2)),
        on_default("default-quarter-rate", 130, MemoryModel(latency=23, rate=16)),
        on_default("default-1-token", 1, MemoryModel(latency=100, rate=8)),
    ],
)
def test_large_layers(simulator, preset, tokens, memory):
    only_verilator(simulator)
    check_layers(simulator, preset, tokens, memory)


# Whole networks ----------------------------------------------------------------------------------

TINY = Network(name="tiny", heads=2, layers=2, head_dim=8, grid=(4, 4), patch=(2, 4), classes=11)
SMALL = Network(name="small", heads=3, layers=2, head_dim=16, grid=(7, 7), patch=(4, 4), classes=9)
DEIT_LAYERS = Network(name="deit_layers", heads=3, layers=2, classes=100)
ONE_TOKEN = Network(
    name="one", heads=1, layers=1, head_dim=8, grid=(1, 0), colours=1, patch=(2, 4), classes=3
)


def check_network(simulator, preset, shape, memory, *, density, keep, dump=False) -> None:
    config = get_config(preset)
    network = random_network(shape, 1)
    patches = random_patches(shape, 1, 2)
    generator = torch.Generator().manual_seed(3)
    masks = torch.rand(shape.mask_shape, generator=generator) < density
    masks[..., 0] = masks[..., 0, :] = True
    image = compile_network(config, network, masks, keep, dump=dump)
    golden = trace(network, patches, masks, keep)
    predicted = predict_network(config, image, masks, golden, memory)
    check(config, image, predicted, simulator, memory, image.with_patches(patches))


@pytest.mark.parametrize(
    ("memory", "arguments"),
    [
        pytest.param(
            MemoryModel(latency=2),
            {"density": ALL, "keep": [None, None]},
            id="dense",
            marks=pytest.mark.long("icarus"),
        ),
        pytest.param(
            MemoryModel(latency=23, rate=1), {"density": 0.4, "keep": [9, 4]}, id="starved"
        ),
        pytest.param(
            MemoryModel(latency=100, rate=3),
            {"density": 0.2, "keep": [None, 2], "dump": True},
            id="dumped",
            marks=pytest.mark.long("icarus"),
        ),
    ],
)
def test_tiny_network(simulator, memory, arguments):
    check_network(simulator, "tiny", TINY, memory, **arguments)


def test_network_of_one_token(simulator):
    memory = MemoryModel(latency=2)
    check_network(simulator, "tiny", ONE_TOKEN, memory, density=ALL, keep=[None], dump=True)


@pytest.mark.parametrize(
    ("preset", "shape", "keep", "memory"),
    [
        pytest.param("small", SMALL, [29, 12], MemoryModel(latency=100, rate=8), id="small"),
        on_default("deit-layers", DEIT_LAYERS, [None, 123], MemoryModel()),
        on_default("deit-starved", DEIT_LAYERS, [40, 9], MemoryModel(latency=23, rate=16)),
    ],
)
def test_large_network(simulator, preset, shape, keep, memory):
    only_verilator(simulator)
    check_network(simulator, preset, shape, memory, density=0.4, keep=keep)


# Random programs ---------------------------------------------------------------------------------

STORE_ADDRESS = 1 << 19


def random_program(config: AcceleratorConfig, rng: random.Random, length: int) -> Image:
    """Commands of any kind and size on data that do not matter; every mask row is empty."""
    tokens = rng.randint(1, config.max_tokens)
    ranges = transfers(config)
    loadable = [target for target in Target if ranges[target].loads and target != Target.MASK]
    storable = [target for target in Target if ranges[target].stores]
    scale = {"multiplier": 1, "shift": 1}
    builder = ImageBuilder(config)
    builder.emit(Opcode.SET_TOKENS, count=tokens)
    builder.load(Target.MASK, bytes(ranges[Target.MASK].rows * config.width), barrier=True)
    opcodes = [opcode for opcode in Opcode if opcode != Opcode.HALT]
    for opcode in rng.choices(opcodes, [1, 5, 8, 2, 2, 2, 2, 2], k=length):
        match opcode:
            case Opcode.SET_TOKENS:
                tokens = rng.randint(1, config.max_tokens)
                builder.emit(opcode, count=tokens)
            case Opcode.LOAD:
                target = rng.choice(loadable)
                rows = rng.randint(1, min(40, ranges[target].rows))
                builder.load(target, bytes(rows * config.width), barrier=rng.random() < 0.5)
            case Opcode.LINEAR:
                tiles, slices = rng.choice([(1, 1), (rng.randint(1, 6), rng.randint(1, 5))])
                rows = tiles * (parameter_rows(config) + slices * config.lanes)
                fits = tokens * slices <= words(config, "activation")
                builder.emit(
                    opcode,
                    bytes(rows * config.width),
                    source=rng.choice(list(Source)) if fits else Source.HIDDEN,
                    destination=rng.choice(list(Destination)),
                    only_cls=rng.randint(0, 1),
                    tiles=tiles,
                    slices=slices,
                )
            case Opcode.NORM:
                choices = {name: rng.randint(0, 1) for name in ("only_cls", "plain")}
                dim = rng.randint(1, config.max_dim)
                builder.emit(opcode, dim=dim, scale_a=scale, scale_b=scale, **choices)
            case Opcode.ATTEND:
                builder.emit(opcode, accumulate=1, scale_a=scale, scale_b=scale)
            case Opcode.PRUNE:
                count = rng.randint(1, tokens)
                builder.emit(opcode, count=count, prefix=rng.randint(0, min(count, 5)))
            case Opcode.POOL:
                dim, first = rng.randint(1, config.max_dim), rng.randrange(config.max_tokens)
                prefix = rng.randint(0, tokens + 1)
                builder.emit(opcode, dim=dim, first=first, prefix=prefix, scale_a=scale)
            case Opcode.STORE:
                target = rng.choice(storable)
                rows = rng.randint(1, min(25, ranges[target].rows))
                builder.emit(opcode, target=target, count=rows, address=STORE_ADDRESS)
    return builder.finish()


def empty_row_beats(image: Image) -> list[np.ndarray]:
    """Rows that keep nothing take a beat each."""
    live, beats = 0, []
    for command in image.commands:
        match command["opcode"]:
            case Opcode.SET_TOKENS:
                live = command["count"]
            case Opcode.PRUNE:
                live = min(live, command["count"])
            case Opcode.ATTEND:
                beats.append(np.ones(live, np.int64))
    return beats


@pytest.mark.parametrize("seed", range(6))
def test_random_program(simulator, seed):
    config = get_config("tiny")
    rng = random.Random(seed)
    image = random_program(config, rng, length=40 if simulator == "icarus" else 150)
    memory = MemoryModel(latency=rng.choice([2, 7, 23, 100]), rate=rng.randint(1, config.bus_bytes))
    address = config.width * rng.randrange(64)
    data = np.concatenate([np.zeros(address, np.uint8), image.data])
    assert len(data) < STORE_ADDRESS
    placed = dataclasses.replace(image, data=data, memory_bytes=len(data))
    beats = empty_row_beats(image)
    program = program_cycles(config, image.commands, beats, memory, program_address=address)
    check(config, placed, program.counters, simulator, memory, program_address=address)
