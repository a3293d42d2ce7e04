"""One picture of a compiled network through the system, from the processor's reset to its output."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cocotb_tests.harness.runner import simulate
from cocotb_tests.network.run import LEAST_MEMORY
from model.program.example import example_program
from rtl_gen.emit.files import write_rtl
from rtl_gen.errors import UserError
from sparse_vit.co_simulation import CoSimulation
from sparse_vit.soc.firmware import Program, compile_firmware
from sparse_vit.soc.system import MODELS, ROM_FILE, build_hardware

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


def run_on_system(
    simulation: CoSimulation,
    program: Program,
    folder: Path,
    *,
    seed: int,
    tell: Callable[[str], object] = str,
) -> Printed:
    """Write the accelerator's RTL, build the system around it, compile the firmware, simulate.

    Args:
        simulation: the network, its accelerator of one core and the memory's latency.
        program: what the firmware holds.
        folder: gets `rtl` and `firmware`.
        seed: of what memories hold at power-up.
        tell: hears what is being done.

    Raises:
        UserError: the firmware stopped with an error, or did not end.
    """
    config, cycles = simulation.config, simulation.cycles
    tell("writing the accelerator")
    write_rtl(config, folder / "rtl", example_program)
    hardware = build_hardware(folder / "rtl", LEAST_MEMORY[config.width])
    tell("compiling the firmware")
    rom = compile_firmware(hardware, folder / "rtl" / "driver", program, folder / "firmware")
    tell("building the simulation, which takes a minute or two the first time")
    done, limit = 0, cycles + HOST_CYCLES

    def progress(more: int) -> None:
        nonlocal done
        done += more
        tell(f"simulating: {done:,} cycles, of which the accelerator will take {cycles:,}")

    values = simulate(
        hardware.design,
        simulator="verilator",
        bench="sparse_vit.soc.bench_firmware",
        models=MODELS,
        files={**hardware.files, ROM_FILE: rom},
        parameters={"latency": simulation.memory.latency, "limit_cycles": limit},
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
