"""Verilog of an accelerator, and a picture through it in simulation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.program.choices import picture_patches
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.extras import naming_extras
from rtl_gen.presets import get_config
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sparse_vit.inputs import Picture, config_of, opened
from sparse_vit.quantisation import IntegerModel


@dataclass(frozen=True, kw_only=True)
class RtlResult:
    """What the RTL made of a picture."""

    logits: np.ndarray
    """float64 (classes,)"""
    mismatches: int
    """Stored values that differ from the golden model's."""
    compared: int
    """Stored values that were compared."""
    counters: dict[str, int]
    """Of the hardware, by name."""
    predicted: dict[str, int]
    """The same by the cycle model."""
    seconds: float
    """Wall time of the simulation."""

    @property
    def cycles(self) -> int:
        """From start to interrupt."""
        return self.counters["cycles"]


def build_rtl(config: AcceleratorConfig | str, folder: Path | str) -> list[Path]:
    """Write a configuration or a preset into a folder that a flow can take: Verilog, manifest,
    registers, driver, testbench and an integration page, README.md.

    Returns:
        The paths of accelerator.v and manifest.json. Files are only touched if they change.

    Raises:
        UserError: an unknown preset, a folder that cannot be written, or no extra `rtl`.
    """
    choice = config if isinstance(config, AcceleratorConfig) else get_config(config)
    with naming_extras():
        from model.program.example import example_program
        from rtl_gen.emit.files import write_rtl
    return [path for path, _ in write_rtl(choice, Path(folder), example_program)[:2]]


def run_rtl(
    integer: IntegerModel,
    picture: Picture,
    *,
    simulator: str = "verilator",
    preset: AcceleratorConfig | str | None = None,
    latency: int = DEFAULT_MEMORY.latency,
    rate: int | None = DEFAULT_MEMORY.rate,
    dump: bool = False,
    seed: int = 1,
) -> RtlResult:
    """One picture through a whole network in RTL, from pixels to logits.

    The first run of a configuration builds its simulation, which takes a minute or two.

    Args:
        integer: of `quantise`, with its masks and schedule.
        picture: a file or a PIL image.
        simulator: verilator or icarus.
        preset: the accelerator; None: the first preset with lanes as wide as the heads.
        latency: of the simulated memory, in cycles.
        rate: bytes a cycle of the memory; None: the port's width.
        dump: store and compare every intermediate tensor, not the logits alone.
        seed: of what the simulation draws.

    Raises:
        UserError: more than one picture, a network that does not fit, an unknown simulator, or the
            extra `rtl` is missing.
    """
    with naming_extras():
        from cocotb_tests.harness.simulators import make_runner
        from sparse_vit.co_simulation import CoSimulation
    make_runner(simulator)
    integers = integer.integers
    config = config_of(preset, integers.shape)
    pictures = opened(picture)
    if len(pictures) != 1:
        raise UserError(f"{len(pictures)} pictures: expected one")
    simulation = CoSimulation.of(
        config,
        integers,
        picture_patches(integers, pictures[0]),
        integer.mask_tensor,
        integer.keep,
        MemoryTiming(latency, rate),
        dump=dump,
    )
    (run,), (batch,) = simulation.run(simulator, seed), simulation.batches
    comparison = simulation.compare(batch, run, 0)
    return RtlResult(
        logits=simulation.image.logits(run.memory)[0] * integers.logit_step,
        mismatches=comparison.mismatches,
        compared=comparison.compared,
        counters=run.counters,
        predicted=batch.predicted,
        seconds=run.wall_seconds,
    )
