"""Attention layers on the RTL against the golden model, every bit, on both simulators.

Every program holds several layers, so that each also runs behind another one's leftovers in the
memories. The whole-size tests run consecutive layers of DeiT-Tiny at 512 multipliers.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from cocotb_tests.network.check import check_layers
from cocotb_tests.network.run import MemoryModel, run_image
from model.attention.maps import capture_qkv, load_attention_maps
from model.data.image_folder import ImageFolder
from model.integer.attention import HeadScales
from model.integer.attention_layers import AttentionLayer, run_layers
from model.masks.strategies import make_masks
from model.network.names import DEIT_TINY
from model.program.attention_layers import compile_layers
from model.pruning.schedule import DEFAULT_SCHEDULE
from model.quantisation.attention import quantise_attention
from model.quantisation.sample_layers import sample_layers
from model.weights.load import load_model
from rtl_gen.config import AcceleratorConfig
from rtl_gen.numerics import Scale
from rtl_gen.presets import get_config

CONFIGS = {
    "tiny": get_config("tiny"),
    "small": get_config("small"),
    # Half as many lanes as channels, one beat a row of memory, a power of two of tokens, two row
    # slots.
    "broad": AcceleratorConfig(
        lanes=4, width=8, max_tokens=16, max_heads=2, max_dim=16, bus_bytes=8, row_slots=2
    ),
    # Four beats a row, and mask rows as long as a word of the mask memory.
    "narrow": AcceleratorConfig(
        lanes=2, width=8, max_tokens=33, max_heads=2, max_dim=16, bus_bytes=2, row_slots=4
    ),
    # The widest rows, in one beat of the widest bus.
    "wide": AcceleratorConfig(
        lanes=2, width=128, max_tokens=20, max_heads=2, max_dim=256, bus_bytes=128, row_slots=4
    ),
}

IDEAL = MemoryModel(latency=2)
FAR = MemoryModel(latency=150)
STALLING = MemoryModel(latency=7, stall=0.3)
SLOW = MemoryModel(latency=30, rate=1, stall=0.1)

REALISTIC = HeadScales(score=Scale(52_000, 19), output=Scale(45_000, 15))
SHARP = HeadScales(score=Scale(65_535, 14), output=Scale(40_000, 15))
SATURATING = HeadScales(score=Scale(65_535, 2), output=Scale(65_535, 8))
VANISHING = HeadScales(score=Scale(32_768, 40), output=Scale(32_768, 63))

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
WEIGHTS = REAL_DATA / "deit_tiny_patch16_224.safetensors"
IMAGES = REAL_DATA / "imagenet-mini" / "calib"


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
        prefix: int = 1,
    ) -> AttentionLayer:
        """One head a density; CLS row and column are kept. `operand(shape)` overrides q, k, v."""
        heads, n = len(densities), self.tokens
        shape = (heads, n, self.head_dim)
        draw = operand or (lambda s: torch.randint(-128, 128, s, generator=self.generator))
        density = torch.tensor(densities)[:, None, None]
        mask = torch.rand(heads, n, n, generator=self.generator) < density
        mask[:, 0, :] = mask[:, :, 0] = True
        operands = (draw(shape) for _ in range(3))
        return AttentionLayer(*operands, mask, (scales,) * heads, keep, prefix)


def densities(config: AcceleratorConfig) -> list[AttentionLayer]:
    """All tokens: CLS only, sparse, dense and full masks."""
    make = Layers(config.max_tokens, config.width, seed=1)
    return [make.layer([0.0, 1.0]), make.layer([0.1, 0.5], scales=SHARP), make.layer([0.2, 0.9])]


def cls_column(config: AcceleratorConfig) -> list[AttentionLayer]:
    """Every row keeps CLS and nothing else, the row of CLS too; then a pruning by that."""
    make = Layers(config.max_tokens, config.width, seed=6)
    layers = [make.layer([0.0, 0.0], keep=2), make.layer([1.0, 1.0])]
    layers[0].mask[:, 0, 1:] = False
    return layers


def cascade(config: AcceleratorConfig) -> list[AttentionLayer]:
    """An odd number of tokens and a short head; prunings that drop none, some and all but CLS."""
    tokens = config.max_tokens - 3
    make = Layers(tokens, config.width - 3, seed=2)
    keeps = [tokens, tokens // 2, tokens // 2 + 1, None, 2, 1, 1]
    return [make.layer([0.3, 0.15], keep) for keep in keeps]


def prefixes(config: AcceleratorConfig) -> list[AttentionLayer]:
    """Heads of 80 channels where they fit; prunings with class, distillation and register tokens in
    front, and in the end without.
    """
    tokens = config.max_tokens - 1
    make = Layers(tokens, min(80, config.width), seed=7)
    pairs = [(tokens - 1, 5), (tokens // 2, 5), (6, 5), (5, 2), (2, 2), (1, 0)]
    return [make.layer([0.3, 0.6], keep, prefix=prefix) for keep, prefix in pairs]


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
    ("tiny", densities, IDEAL),
    ("tiny", cls_column, FAR),
    ("tiny", cascade, STALLING),
    ("tiny", one_token, STALLING),
    ("tiny", extremes, SLOW),
    ("tiny", empty_rows, STALLING),
    ("small", densities, STALLING),
    ("small", cascade, FAR),
    ("small", one_token, IDEAL),
    ("small", extremes, IDEAL),
    ("small", empty_rows, SLOW),
    ("broad", cascade, STALLING),
    ("narrow", cascade, SLOW),
    ("tiny", prefixes, STALLING),
    ("small", prefixes, IDEAL),
    ("wide", prefixes, STALLING),
]
LONG = {
    "small": [pytest.mark.long("icarus")],
    "broad": [pytest.mark.long("verilator")],
    "narrow": [pytest.mark.long],
    "wide": [pytest.mark.long],
}
"""To run on Icarus, or to build on Verilator for these cases alone."""


@pytest.mark.parametrize(
    ("preset", "case", "memory"),
    [
        pytest.param(
            preset, case, memory, id=f"{preset}-{case.__name__}", marks=LONG.get(preset, [])
        )
        for preset, case, memory in CASES
    ],
)
def test_layers(simulator, preset, case, memory):
    """All layers of a case."""
    config = CONFIGS[preset]
    run_and_check(config, case(config), simulator, memory)


@pytest.mark.long
def test_deit_tiny_layer_pair():
    """197 tokens, 3 heads, masks of measured attention; prune; the next layer on the survivors."""
    layers = sample_layers(sparsity=0.5)
    assert [layer.keep for layer in layers] == [177, 171]
    run_and_check(get_config("default"), layers, "verilator", FAR)


@pytest.mark.long
def test_real_weights_and_image():
    """The same pair with Q, K and V of the trained network on a photograph."""
    for needed in (WEIGHTS, IMAGES):
        if not needed.exists():
            pytest.skip(f"needs the trained DeiT-Tiny and images: no {needed}")
    model = load_model(DEIT_TINY, WEIGHTS)
    photograph, _ = next(ImageFolder(IMAGES).batches(model, 1))
    with torch.inference_mode():
        q, k, v = (x[:, 0] for x in capture_qkv(DEIT_TINY, model, photograph))
    masks = torch.from_numpy(make_masks(load_attention_maps(DEIT_TINY.name).maps, 0.8, prefix=1))
    tokens = DEFAULT_SCHEDULE.layer_tokens(DEIT_TINY)
    layers = [
        quantise_attention(q[i], k[i], v[i], masks[i], tokens[i].leaving)
        for i in (DEFAULT_SCHEDULE.first_layer, DEFAULT_SCHEDULE.first_layer + 1)
    ]
    run_and_check(get_config("default"), layers, "verilator", MemoryModel(latency=60, stall=0.1))


def run_and_check(
    config: AcceleratorConfig, layers: Sequence[AttentionLayer], simulator: str, memory: MemoryModel
) -> None:
    """Every output of a live query, and who survives."""
    tokens = layers[0].tokens
    image = compile_layers(config, tokens, layers)
    traces = run_layers(tokens, layers)
    run = run_image(config, image, simulator=simulator, memory=memory, seed=3)
    rows = sum(
        int(trace.live.sum()) * layer.heads for layer, trace in zip(layers, traces, strict=True)
    )
    assert check_layers(image, layers, traces, run) >= rows * layers[0].head_dim
