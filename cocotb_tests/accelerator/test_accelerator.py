"""Whole attention layers on the RTL against the golden model, every bit, on both simulators.

Memory stalls at random where `stalls` is set. Every program holds several layers, so that each
also runs behind another one's leftovers in the memories.
"""

from collections.abc import Callable, Sequence

import pytest
import torch

from cocotb_tests.accelerator.run import check_outputs, run_program
from model.golden import HeadScales
from model.layers import AttentionLayer, run_layers
from model.program import compile_layers
from rtl_gen.config import AcceleratorConfig, get_config
from rtl_gen.numerics import Scale

CONFIGS = {
    "tiny": get_config("tiny"),
    "small": get_config("small"),
    # As many lanes as channels, one beat a row of memory, a power of two of tokens, two row slots.
    "square": AcceleratorConfig(
        lanes=8, width=8, max_tokens=16, max_heads=2, bus_bytes=8, row_slots=2
    ),
    # Four beats a row and a mask row of several beats.
    "narrow": AcceleratorConfig(
        lanes=2, width=8, max_tokens=33, max_heads=2, bus_bytes=2, row_slots=4
    ),
}

REALISTIC = HeadScales(score=Scale(52_000, 19), output=Scale(45_000, 15))
SHARP = HeadScales(score=Scale(65_535, 14), output=Scale(40_000, 15))
SATURATING = HeadScales(score=Scale(65_535, 2), output=Scale(65_535, 8))
VANISHING = HeadScales(score=Scale(32_768, 40), output=Scale(32_768, 63))


class Layers:
    """Seeded layers of one sequence."""

    def __init__(self, tokens: int, head_dim: int, seed: int):
        self.tokens, self.head_dim = tokens, head_dim
        self.generator = torch.Generator().manual_seed(seed)

    def layer(
        self,
        densities: Sequence[float],
        keep: int | None = None,
        scales: HeadScales = REALISTIC,
        operand: Callable[..., torch.Tensor] | None = None,
    ) -> AttentionLayer:
        """One head a density; CLS row and column are kept. `operand(shape)` overrides q, k, v."""
        heads, n = len(densities), self.tokens
        shape = (heads, n, self.head_dim)
        draw = operand or (lambda s: torch.randint(-128, 128, s, generator=self.generator))
        density = torch.tensor(densities)[:, None, None]
        mask = torch.rand(heads, n, n, generator=self.generator) < density
        mask[:, 0, :] = mask[:, :, 0] = True
        return AttentionLayer(*(draw(shape) for _ in range(3)), mask, (scales,) * heads, keep)


def densities(config: AcceleratorConfig) -> list[AttentionLayer]:
    """All tokens: CLS only, sparse, dense and full masks."""
    make = Layers(config.max_tokens, config.width, seed=1)
    return [make.layer([0.0, 1.0]), make.layer([0.1, 0.5], scales=SHARP), make.layer([0.2, 0.9])]


def cascade(config: AcceleratorConfig) -> list[AttentionLayer]:
    """An odd number of tokens and a short head; prunings that drop none, some and all but CLS."""
    tokens = config.max_tokens - 3
    make = Layers(tokens, config.width - 3, seed=2)
    keeps = [tokens, tokens // 2, tokens // 2 + 1, None, 2, 1, 1]
    return [make.layer([0.3, 0.15], keep) for keep in keeps]


def one_token(config: AcceleratorConfig) -> list[AttentionLayer]:
    make = Layers(1, config.width, seed=3)
    return [make.layer([1.0, 1.0], keep=1), make.layer([0.0, 0.0])]


def extremes(config: AcceleratorConfig) -> list[AttentionLayer]:
    """The largest magnitudes everywhere, with factors that saturate and that leave nothing."""
    make = Layers(config.max_tokens, config.width, seed=4)

    def constant(shape):
        return torch.full(shape, -128)

    def either(shape):
        return torch.where(torch.rand(shape, generator=make.generator) < 0.5, -128, 127)

    tokens = config.max_tokens
    return [
        make.layer([1.0, 0.4], tokens - 1, REALISTIC, constant),
        make.layer([1.0, 0.4], tokens - 2, SATURATING, either),
        make.layer([1.0, 0.0], tokens - 3, VANISHING, either),
    ]


def empty_rows(config: AcceleratorConfig) -> list[AttentionLayer]:
    """Rows that keep nothing, among them a run of them and all rows of a head."""
    make = Layers(config.max_tokens, config.width, seed=5)
    layer = make.layer([0.2, 0.3], keep=config.max_tokens // 2)
    layer.mask[0, 1 : config.max_tokens : 3] = False
    layer.mask[0, 4:9] = False
    layer.mask[1] = False
    return [layer, make.layer([0.5, 0.5])]


CASES = [
    ("tiny", densities, 0.0, 1),
    ("tiny", cascade, 0.3, 7),
    ("tiny", one_token, 0.3, 2),
    ("tiny", extremes, 0.0, 3),
    ("tiny", empty_rows, 0.3, 1),
    ("small", densities, 0.3, 5),
    ("small", cascade, 0.0, 1),
    ("small", one_token, 0.3, 2),
    ("small", extremes, 0.3, 2),
    ("small", empty_rows, 0.0, 4),
    ("square", cascade, 0.3, 3),
    ("narrow", cascade, 0.3, 2),
]


@pytest.mark.parametrize(
    ("preset", "case", "stalls", "latency"),
    CASES,
    ids=[f"{preset}-{case.__name__}" for preset, case, *_ in CASES],
)
def test_layers(simulator, preset, case, stalls, latency):
    config = CONFIGS[preset]
    layers = case(config)
    tokens = layers[0].tokens
    program = compile_layers(config, tokens, layers)
    run = run_program(config, program, simulator=simulator, latency=latency, stalls=stalls, seed=3)
    assert check_outputs(config, program, layers, run_layers(tokens, layers), run) > 0
