"""Seeded cases that compare the cycle model with the RTL: configurations, programs and memories.

A case is a program of one unit, of attention layers or of a whole small network, together with the
beats of its ATTENDs (from the golden model, as only the data say which tokens survive) and the
memory that it runs from. The same seed draws the same cases.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from cocotb_tests.network.run import MemoryModel
from model.attention.mask_source import MaskSource
from model.integer.random_network import random_patches
from model.network.names import get_network
from model.program.choices import integer_network
from model.program.memory_image import Image
from model.pruning.hardware import prune_counts
from model.pruning.schedule import DEFAULT_SCHEDULE, NO_PRUNING
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config
from sparse_vit.calibration.programs import TOKENS, ProgramDraws, network_run

CORES = (1, 2, 4)
LANES = (2, 4, 8, 16)
WIDTHS = (8, 16, 32, 64)
STALL_SHARES = (0.05, 0.1, 0.2)
STALL_TOKENS, STALL_LAYERS = 60, 6
"""Networks on a stalling memory have as many tokens, or all of them, and run long enough for the
mean to tell."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A program on a memory."""

    name: str
    kind: str
    """What it exercises: a unit's name, `layers` or `network`."""
    image: Image
    data: np.ndarray
    """The image's bytes with its input."""
    beats: tuple[np.ndarray, ...]
    """Beats (rows,) of each ATTEND."""
    memory: MemoryModel

    @property
    def config(self) -> AcceleratorConfig:
        return self.image.config


def draw_configs(seed: int, count: int, cores: int | None = None) -> list[AcceleratorConfig]:
    """`count` configurations: all lanes and all widths appear from four of them on.

    A beat is as wide as the rules allow in the odd ones of each four, and drawn in the others.
    Cores are drawn, too, unless all are to have `cores`.
    """
    rng = np.random.default_rng((seed, 0))
    configs: list[AcceleratorConfig] = []
    while len(configs) < count:
        for lanes, width in _pairs(rng):
            widths = [b for b in (2, 4, 8, 16, 32, 64) if lanes <= b <= width]
            bus_bytes = widths[-1] if len(configs) % 2 else int(rng.choice(widths))
            row_slots = int(rng.choice([2, 4, 8, 16]))
            stream_beats = int(rng.choice([16, 32, 64, 128, 256]))
            # Arrays of up to 256 multipliers in all, so that a simulation builds in time.
            drawn = int(rng.choice([n for n in CORES if n * lanes * width <= 256] or [1]))
            configs.append(
                AcceleratorConfig(
                    lanes=lanes,
                    width=width,
                    max_tokens=TOKENS + 1,
                    max_heads=3,
                    max_dim=3 * width,
                    bus_bytes=bus_bytes,
                    row_slots=row_slots,
                    stream_beats=stream_beats,
                    cores=cores or drawn,
                )
            )
    return configs[:count]


def quick_configs(cores: int | None = None) -> list[AcceleratorConfig]:
    """Presets whose simulation builds in seconds, on one core or so many."""
    return [get_config("tiny", cores=cores or 1)]


def draw_cases(config: AcceleratorConfig, seed: int, count: int) -> Iterator[Case]:
    """`count` cases for a configuration: units, layers and networks in turn; every sixth stalls."""
    rng = np.random.default_rng((seed, 1, *config.as_dict().values()))
    draws = ProgramDraws(config, rng)
    kinds = ("network", *draws.units, "layers", "network", "stalling")
    for index in range(count):
        kind = kinds[index % len(kinds)]
        yield _case(draws, f"{index}", kind)


def draw_deit_cases(seed: int, cores: int | None = None) -> Iterator[Case]:
    """DeiT-Tiny on the default preset, on one core or so many: dense, 80 % sparse, and that with
    pruning.
    """
    rng = np.random.default_rng((seed, 2))
    config, shape = get_config("default", cores=cores or 1), get_network("deit_tiny")
    network = integer_network(shape, None, seed)
    patches = random_patches(shape, config.cores, seed)
    for name, sparsity, schedule in (
        ("dense", 0.0, NO_PRUNING),
        ("sparse", 0.8, NO_PRUNING),
        ("sparse-pruned", 0.8, DEFAULT_SCHEDULE),
    ):
        masks = torch.from_numpy(MaskSource(sparsity=sparsity, stand_in=seed).masks(shape))
        keep = prune_counts(shape, schedule)
        image, data, beats = network_run(config, network, patches, masks, keep)
        memory = MemoryModel(
            latency=int(rng.integers(2, 160)), rate=int(rng.integers(12, config.bus_bytes + 1))
        )
        yield Case(
            name=name,
            kind=shape.name,
            image=image,
            data=data,
            beats=tuple(beats),
            memory=memory,
        )


def _case(draws: ProgramDraws, name: str, kind: str) -> Case:
    memory = None
    match kind:
        case "layers":
            image, beats = draws.layers()
            data = image.data
        case "network":
            image, data, beats = draws.network()
        case "stalling":
            tokens = draws.integer(min(STALL_TOKENS, draws.tokens), draws.tokens + 1)
            image, data, beats = draws.network(tokens, layers=STALL_LAYERS)
            memory = MemoryModel(
                latency=draws.integer(2, 60), stall=float(draws.rng.choice(STALL_SHARES))
            )
        case _:
            image = draws.units[kind]()
            data, beats = image.data, draws.unit_beats
    return Case(
        name=name,
        kind=kind,
        image=image,
        data=data,
        beats=tuple(beats),
        memory=memory or draws.memory(),
    )


def _pairs(rng: np.random.Generator) -> list[tuple[int, int]]:
    """Each lanes with a width that it can have, each width once."""
    while True:
        pairs = list(zip(LANES, rng.permutation(WIDTHS).tolist(), strict=True))
        if all(_possible(*pair) for pair in pairs):
            return pairs


def _possible(lanes: int, width: int) -> bool:
    try:
        AcceleratorConfig(lanes=lanes, width=width, bus_bytes=width)
    except UserError:
        return False
    return True
