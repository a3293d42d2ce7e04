"""Runs memory images on the accelerator in simulation."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.harness.runner import Progress, emit_design, simulate
from cocotb_tests.network.system import System
from model.program.memory_image import Image
from rtl_gen.config import AcceleratorConfig
from rtl_gen.emit.verilog import Design
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import ErrorCode
from sim_models.memory import MemoryTiming

LIMIT_CYCLES = 200_000_000

LEAST_MEMORY = {8: 1 << 20, 16: 1 << 20, 32: 1 << 20, 64: 1 << 27, 128: 1 << 20}
"""Bytes of the simulated memory by `width`, whatever an image needs: images share a build."""

MemoryModel = MemoryTiming
"""Behaviour of the simulated memory."""


DEFAULT_MEMORY = MemoryModel()


@dataclass(frozen=True)
class RtlRun:
    """What the accelerator left behind."""

    memory: np.ndarray
    """Image and stored tensors."""
    counters: dict[str, int]
    error: ErrorCode
    wall_seconds: float
    """Of the simulation, from start to interrupt."""

    def finished(self) -> Self:
        """The run, unless the accelerator stopped with an error: then UserError."""
        if self.error != ErrorCode.NONE:
            raise UserError(f"the accelerator stopped with error {self.error.name}")
        return self


@cache
def system_verilog(config: AcceleratorConfig, beats: int) -> Design:
    """The accelerator with a memory of `beats` beats."""
    return emit_design(System(config, beats), "system")


def run_image(
    config: AcceleratorConfig, image: Image, data: np.ndarray | None = None, **options: Any
) -> RtlRun:
    """Run an image, with the bytes `data` if they are not its own; options of `run_programs`."""
    data = image.data if data is None else data
    return run_programs(config, [(image, data)], **options)[0]


def run_images(
    config: AcceleratorConfig, image: Image, data: np.ndarray, **options: Any
) -> list[RtlRun]:
    """Run an image several times in one simulation, with the bytes `data` (runs, bytes); options of
    `run_programs`.
    """
    return run_programs(config, [(image, each) for each in data], **options)


def run_programs(
    config: AcceleratorConfig,
    programs: Sequence[tuple[Image, np.ndarray]],
    *,
    simulator: str,
    memory: MemoryModel = DEFAULT_MEMORY,
    seed: int = 1,
    program_address: int = 0,
    optimise: bool = False,
    progress: Progress | None = None,
) -> list[RtlRun]:
    """Run images one behind the other in one simulation, each with its bytes.

    `optimise` and `progress` are those of `simulate`.
    """
    most_bytes = max(image.memory_bytes for image, _ in programs)
    size = max(LEAST_MEMORY[config.width], 1 << (most_bytes - 1).bit_length())
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        before.write_bytes(b"".join(data.tobytes() for _, data in programs))
        result = simulate(
            system_verilog(config, size // config.bus_bytes),
            simulator=simulator,
            bench="cocotb_tests.network.bench_system",
            models=[VERILOG],
            parameters={
                "config": config.as_dict(),
                "images": str(before),
                "memory": str(after),
                "image_bytes": [len(data) for _, data in programs],
                "memory_bytes": [image.memory_bytes for image, _ in programs],
                "program_address": program_address,
                "size": size,
                "latency": memory.latency,
                "rate": memory.rate,
                "stall": memory.stall,
                "limit_cycles": LIMIT_CYCLES,
            },
            seed=seed,
            optimise=optimise,
            progress=progress,
        )
        memories = np.fromfile(after, np.uint8)
    ends = np.cumsum([image.memory_bytes for image, _ in programs])
    return [
        RtlRun(
            memory=left,
            counters=run["counters"],
            error=ErrorCode(run["error"]),
            wall_seconds=run["wall_seconds"],
        )
        for run, left in zip(result.values["runs"], np.split(memories, ends[:-1]), strict=True)
    ]
