"""The fastest configurations that fit a part, for one network with its masks and schedule."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from model.attention.mask_source import MaskSource
from model.commands.options import (
    InsteadMasks,
    Maps,
    ModelName,
    Prune,
    ScheduleChoice,
    Scores,
    Seed,
    Strategy,
)
from model.masks.strategies import MASK_STRATEGY
from model.network.fit import check_shape
from model.network.names import get_network
from model.pruning.schedule_file import schedule_name, schedule_of
from rtl_gen.area.errors import worst_errors
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.json_file import write_json
from rtl_gen.progress import progress_over
from rtl_gen.synthesis.ultrascale import BOARDS, ULTRASCALE
from sim_models.choose.search import (
    TRIED,
    Candidate,
    Choice,
    Part,
    candidates,
    configurations,
    fastest,
)
from sim_models.figures.tables import Column, TextTable, table_console, terminal_table, text_table
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.workload import Workload

FREQUENCY_MHZ = 200
"""Assumed of an FPGA; nothing open places and routes an UltraScale+."""


def choose(
    *,
    part: Annotated[
        str, typer.Option(help=f"UltraScale+ part: {', '.join(ULTRASCALE.parts)}.")
    ] = Part.name,
    share: Annotated[
        float, typer.Option(help="Of each of the part's resources that may be taken.")
    ] = Part.share,
    frequency_mhz: Annotated[
        int, typer.Option(min=1, help="Clock that images a second are stated for.")
    ] = FREQUENCY_MHZ,
    top: Annotated[int, typer.Option(min=1, help="Configurations that are shown.")] = 10,
    model: ModelName = "deit_tiny",
    sparsity: Annotated[float, typer.Option(help="Fraction of attention to drop.")] = 0.8,
    mask_file: InsteadMasks = None,
    strategy: Strategy = MASK_STRATEGY,
    scores: Scores = None,
    maps: Maps = None,
    schedule: ScheduleChoice = None,
    prune: Prune = True,
    latency: Annotated[int, typer.Option(help="Of the memory, in cycles.")] = (
        DEFAULT_MEMORY.latency
    ),
    rate: Annotated[
        int | None, typer.Option(help="Bytes a cycle of the memory; default: the port's width.")
    ] = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="JSON file of all that fit.")] = Path(
        "build/choose.json"
    ),
) -> list[dict[str, Any]]:
    """Which configuration of at most a part's resources runs a network fastest.

    Cycles are the cycle model's, equal to the RTL's; resources are predicted.
    """
    chosen_part, memory = Part(part, share), MemoryTiming(latency, rate)
    network = get_network(model)
    check_shape(network)
    source = MaskSource(
        sparsity=sparsity,
        strategy=strategy,
        file=mask_file,
        scores=scores,
        maps=maps,
        stand_in=seed,
    )
    pruning = schedule_of(schedule_name(schedule, prune=prune), network)
    check_writable(out)
    tried = list(configurations(network, frequency_mhz=frequency_mhz, latency=latency))
    fitting = _fitting(tried, chosen_part, memory, network.name)
    masks = None if source.dense else source.masks(network)
    work = Workload.assumed(network, masks, pruning, lambda: source.attention(network).maps)
    with progress_over(len(fitting), "configurations") as advance:
        found = fastest(fitting, work, memory, advance)
    rows = [_row(choice) for choice in found]
    asked = {
        "network": network.name,
        "part": part,
        "share": share,
        "frequency_mhz": frequency_mhz,
        "latency": latency,
        "rate": rate,
        "seed": seed,
        "tried": len(tried),
    }
    write_json(out, asked | {"configurations": rows})
    counted = f"{len(found)} that fit into {share:.0%}, of {len(tried)}"
    console = table_console()
    console.print(terminal_table(_table(rows[:top], chosen_part, network.name, counted)))
    console.print(f"seed {seed}\n{out}")
    return rows


def _fitting(
    tried: list[AcceleratorConfig], part: Part, memory: MemoryTiming, network: str
) -> list[Candidate]:
    """Raises UserError if there are none, or for a memory that cannot be."""
    for config in tried[:1]:
        memory.bytes_a_cycle(config)
    found = candidates(tried, part)
    if not found:
        raise UserError(
            f"none of {len(tried)} configurations that hold {network} fits {part.share:.1%} of "
            f"{part.name}: choose a larger part ({', '.join(ULTRASCALE.parts)}) or --share"
        )
    return found


def _row(choice: Choice) -> dict[str, Any]:
    done, candidate = choice.simulation, choice.candidate
    return {
        **candidate.config.as_dict(),
        "cycles": done.cycles.total,
        "milliseconds": round(done.milliseconds, 6),
        "images_per_second": round(done.images_per_second, 3),
        **{f"area_{name}": count for name, count in candidate.counts.items()},
        **{f"part_{name}": round(share, 4) for name, share in candidate.taken.items()},
    }


def _table(shown: list[dict[str, Any]], part: Part, network: str, counted: str) -> TextTable:
    worst = worst_errors()
    errors = ", ".join(
        f"{heading} {worst[name]:.1%}" for name, heading in ULTRASCALE.headings.items()
    )
    cells = [
        column
        for name, heading in ULTRASCALE.headings.items()
        for column in (
            Column(f"area_{name}", heading, "{:,g}"),
            Column(f"part_{name}", "of it", "{:.0%}"),
        )
    ]
    return text_table(
        "choose",
        f"{network} on {part.name} ({BOARDS[part.name]}): the fastest of {counted}",
        pd.DataFrame(shown),
        [
            *(Column(name, name.replace("_", " ")) for name in TRIED),
            Column("cycles", "cycles", "{:,}"),
            Column("images_per_second", "images/s", "{:,.0f}"),
            *cells,
        ],
        f"Images a second at {shown[0]['frequency_mhz']} MHz, which is assumed. Cells are "
        f"predicted, worst errors seen: {errors}.",
    )
