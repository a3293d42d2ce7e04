"""The command `sparse-vit faults`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cocotb_tests.faults.hardware import Campaign
from cocotb_tests.faults.report import Report
from cocotb_tests.harness.simulators import make_runner
from rtl_gen.files import make_folder
from rtl_gen.presets import get_config
from rtl_gen.progress import progress_over

FILE = "faults.json"
BATCHES = {"verilator": 100, "icarus": 20}
"""Flips of one simulation."""


def faults(
    *,
    count: Annotated[int, typer.Option(min=1, help="Flips; kinds of bit take turns.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Draws them.")] = 0,
    flip: Annotated[int | None, typer.Option(min=0, help="Only this one.")] = None,
    config: Annotated[str, typer.Option(help="Preset, which gets parity.")] = "tiny",
    simulator: Annotated[str, typer.Option(help=" or ".join(BATCHES) + ".")] = "verilator",
    out: Annotated[Path, typer.Option(help=f"Folder that gets {FILE}.")] = Path("build/faults"),
) -> dict[str, Any]:
    """Flip bits of bus data, memories and registers while a network runs: which are detected,
    masked, hang or are silent. Of what checksum and parity cover none may be silent.
    """
    make_runner(simulator)
    chosen = get_config(config, parity=1)
    make_folder(out)
    numbers = range(count) if flip is None else range(flip, flip + 1)
    campaign, report = Campaign(chosen), Report(chosen, seed)
    flips = [campaign.places.draw(seed, number) for number in numbers]
    with progress_over(len(flips), "flips") as advance:
        for first in range(0, len(flips), BATCHES[simulator]):
            batch = flips[first : first + BATCHES[simulator]]
            report.add(campaign.run(batch, simulator))
            report.write(out / FILE)
            advance(len(batch))
    Console().print(report.table())
    print(out / FILE)
    report.require_none_silent()
    return report.contents()
