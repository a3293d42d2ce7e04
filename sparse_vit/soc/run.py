"""Runs of the system, from the processor's reset to the end of what its firmware prints."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Self

from cocotb_tests.harness.runner import Progress, simulate
from cocotb_tests.network.run import LEAST_MEMORY
from model.program.example import example_program
from rtl_gen.config import AcceleratorConfig
from rtl_gen.emit.files import write_rtl
from rtl_gen.errors import UserError
from sim_models.memory import MemoryTiming
from sparse_vit.soc.firmware import Program, compile_firmware
from sparse_vit.soc.system import MODELS, ROM_FILE, Hardware, build_hardware

RTL = "rtl"
"""Folder of the accelerator in that of a run."""

HOST_CYCLES = 2_000_000
"""That the processor may take beside those that the accelerator is predicted to."""


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What the firmware prints."""

    logits: list[int]
    best: int
    """The class that it names."""
    instructions: int
    """Of the processor while the accelerator worked."""
    counters: dict[str, int]

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises UserError if the text tells of an error."""
        lines = [line.split(" ", 1) for line in text.splitlines()]
        errors = [value for name, value in lines if name == "error"]
        if errors:
            raise UserError(f"the firmware stopped with an error: {errors[0]}")
        logits = [int(value) for name, value in lines if name == "logit"]
        values = {name: int(value) for name, value in lines if name != "logit"}
        return cls(
            logits=logits,
            best=values.pop("class"),
            instructions=values.pop("instructions"),
            counters=values,
        )


def build_system(config: AcceleratorConfig, folder: Path) -> Hardware:
    """The system around an accelerator whose files are written to `folder`/rtl."""
    write_rtl(config, folder / RTL, example_program)
    # In a process of its own, since the order of what LiteX writes depends on what it made before.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(build_hardware, folder / RTL, LEAST_MEMORY[config.width]).result()


def run_program(
    hardware: Hardware,
    program: Program,
    folder: Path,
    memory: MemoryTiming,
    *,
    cycles: int,
    simulator: str,
    seed: int,
    progress: Progress | None = None,
) -> Printed:
    """Compile the firmware for a program and let the processor run it.

    Args:
        hardware: of `build_system`.
        program: what the firmware holds.
        folder: the same as for `build_system`, gets `firmware`.
        memory: its latency counts.
        cycles: that the accelerator is predicted to take.
        simulator: verilator or icarus.
        seed: of what memories hold at power-up.
        progress: hears of cycles.

    Raises:
        UserError: the firmware stopped with an error, or did not end.
    """
    limit = cycles + HOST_CYCLES
    rom = compile_firmware(hardware, folder / RTL / "driver", program, folder / "firmware")
    values = simulate(
        hardware.design,
        simulator=simulator,
        bench="sparse_vit.soc.bench_firmware",
        models=MODELS,
        files={**hardware.files, ROM_FILE: rom},
        parameters={"latency": memory.latency, "limit_cycles": limit},
        seed=seed,
        progress=progress,
    ).values
    if not values["ended"]:
        said = " ".join(values["printed"].split()) or "nothing"
        raise UserError(
            f"the firmware still runs after {limit:,} cycles, in which it printed {said}: the "
            "accelerator may have raised no interrupt"
        )
    return Printed.of(values["printed"])
