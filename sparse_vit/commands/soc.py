"""A held-back digit through `vit_digits` on a system on chip, with firmware on a RISC-V processor.

The system is LiteX's with a VexRiscv, around the folder that `sparse-vit rtl` writes; its firmware
drives the accelerator by the C driver of that folder. What it prints is compared with the golden
model and the cycle model.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cocotb_tests.harness.runner import Progress
from cocotb_tests.harness.simulators import make_runner
from model.data.digits import held_back_digit
from rtl_gen import cli
from rtl_gen.errors import UserError
from rtl_gen.extras import require
from rtl_gen.files import check_writable
from rtl_gen.json_file import write_json
from rtl_gen.progress import status
from sim_models.memory import LATENCY_MIN, MemoryTiming
from sparse_vit.digits import PRESET, digits_simulation
from sparse_vit.soc.firmware import Program, require_compiler
from sparse_vit.soc.run import build_system, run_program
from sparse_vit.soc.system import LATENCY_BITS

console = Console()


def soc(
    *,
    digit: Annotated[int, typer.Option(help="Number of a held-back digit.")] = 0,
    sparsity: Annotated[
        float, typer.Option(help="Fraction of attention entries to drop; 0 for dense.")
    ] = 0.8,
    latency: Annotated[
        int,
        typer.Option(
            min=LATENCY_MIN, max=(1 << LATENCY_BITS) - 1, help="Of the memory, in cycles."
        ),
    ] = 100,
    seed: Annotated[
        int, typer.Option(min=0, max=cli.LARGEST_SEED, help="Of what memories hold at power-up.")
    ] = 0,
    out: Annotated[Path, typer.Option(help="Folder of RTL, firmware and result.")] = Path(
        "build/soc"
    ),
) -> dict[str, Any]:
    """A digit on a system on chip: a RISC-V processor drives the accelerator, in simulation."""
    require("pythondata_cpu_vexriscv")
    require_compiler()
    make_runner("verilator")
    check_writable(out / "soc.json")
    _, label = held_back_digit(digit)
    simulation = digits_simulation([digit], sparsity=sparsity, memory=MemoryTiming(latency))
    (batch,) = simulation.batches
    golden = batch.golden["logits"][0]
    with status("writing the accelerator and its system") as tell:
        hardware = build_system(simulation.config, out)
        tell("building the simulation, which takes a minute or two the first time")
        printed = run_program(
            hardware,
            Program.of(simulation.image, batch.data),
            out,
            simulation.memory,
            cycles=simulation.cycles,
            simulator="verilator",
            seed=seed + 1,
            progress=_telling(tell),
        )
    result = {
        "digit": digit,
        "label": label,
        "sparsity": sparsity,
        "latency": latency,
        "seed": seed,
        "config": PRESET,
        "class": printed.best,
        "golden_class": int(golden.argmax()),
        "logits": printed.logits,
        "golden_logits": golden.tolist(),
        "counters": printed.counters,
        "counters_model": batch.predicted,
        "processor_instructions": printed.instructions,
    }
    write_json(out / "soc.json", result)
    console.print(_table(result))
    print(out / "soc.json")
    differing = [name for name, model in _MODELS.items() if result[name] != result[model]]
    if differing:
        raise UserError(
            f"{' and '.join(differing)} of the system differ from the models': {out / 'soc.json'} "
            "has both"
        )
    return result


_MODELS = {"class": "golden_class", "logits": "golden_logits", "counters": "counters_model"}
"""What entries of a result have to equal."""


def _telling(tell: Callable[[str], object]) -> Progress:
    """Of cycles that are simulated."""
    done = 0

    def advance(cycles: int) -> None:
        nonlocal done
        done += cycles
        tell(f"simulated {done:,} cycles")

    return advance


def _table(result: dict[str, Any]) -> Table:
    """What the firmware printed, beside the models."""
    title = f"Digit {result['digit']}, a {result['label']}, on a system with a VexRiscv"
    table = Table(title=title)
    for column in ("", "printed", "models"):
        table.add_column(column, justify="right" if column else "left")
    rows = [("class", result["class"], result["golden_class"])]
    rows += [
        (f"logit {number}", *values)
        for number, values in enumerate(
            zip(result["logits"], result["golden_logits"], strict=False)
        )
    ]
    rows.append(("cycles", result["counters"]["cycles"], result["counters_model"]["cycles"]))
    for name, printed, expected in rows:
        table.add_row(name, f"{printed:,}", f"{expected:,}")
    table.add_row("instructions while it slept", f"{result['processor_instructions']:,}", "")
    return table
