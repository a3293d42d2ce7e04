"""The cycle model predicts every counter of the hardware before the program runs.

Each program covers several mask densities, one kept entry a row and all of them, prunings, and
layers on what they leave. Memory is ideal: it never stalls.
"""

from collections.abc import Sequence

import pytest
import torch

from cocotb_tests.accelerator.run import IDEAL_LATENCY, run_program
from model.golden import HeadScales
from model.layers import AttentionLayer, run_layers
from model.program import compile_layers
from rtl_gen.config import AcceleratorConfig, get_config
from rtl_gen.control.command import ErrorCode
from rtl_gen.numerics import Scale
from sim_models.program import predict

ONE_A_ROW, ALL = 0.0, 1.0


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


def check(simulator: str, preset: str, tokens: int, latency: int, heads: int, seed: int) -> None:
    config = get_config(preset)
    generator = torch.Generator().manual_seed(seed)
    densities = [0.2, ALL, ONE_A_ROW, 0.5][:heads]
    layers = [
        random_layer(config, tokens, densities, max(1, 2 * tokens // 3), generator),
        random_layer(config, tokens, [0.3, 0.1], max(1, tokens // 5), generator),
        random_layer(config, tokens, [ALL, ONE_A_ROW], None, generator),
    ]
    program = compile_layers(config, tokens, layers)
    traces = run_layers(tokens, layers)
    predicted = predict(config, program, layers, traces, latency=latency)
    run = run_program(config, program, simulator=simulator, latency=latency, seed=seed)
    assert run.error == ErrorCode.NONE
    assert predicted.counters() == run.counters


@pytest.mark.parametrize(
    ("preset", "tokens", "latency"),
    [
        ("tiny", 1, IDEAL_LATENCY),
        ("tiny", 17, 7),
        ("small", 22, IDEAL_LATENCY),
        ("tiny", 9, 100),
    ],
)
def test_counters(simulator, preset, tokens, latency):
    check(simulator, preset, tokens, latency, heads=2, seed=tokens)


@pytest.mark.parametrize(
    ("preset", "tokens", "latency"),
    [
        ("small", 50, 7),
        ("half", 197, IDEAL_LATENCY),
        ("default", 1, 100),
        ("default", 197, IDEAL_LATENCY),
        ("double", 197, IDEAL_LATENCY),
    ],
)
def test_counters_of_large_programs(simulator, preset, tokens, latency):
    if simulator == "icarus":
        pytest.skip("Icarus takes minutes for as many cycles; Verilator runs them")
    check(simulator, preset, tokens, latency, heads=3 if preset == "small" else 4, seed=tokens)
