"""The fastest configurations that fit a part, for one network with its masks and schedule."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

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
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.json_file import write_json
from rtl_gen.progress import progress_over
from rtl_gen.synthesis.ultrascale import BOARDS, ULTRASCALE
from sim_models.choose.search import Choice, Part, candidates, configurations, fastest
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
    for config in tried[:1]:
        memory.bytes_a_cycle(config)
    fitting = candidates(tried, chosen_part)
    if not fitting:
        raise UserError(
            f"none of {len(tried)} configurations that hold {network.name} fits {share:.1%} of "
            f"{part}: choose a larger part ({', '.join(ULTRASCALE.parts)}) or --share"
        )
    masks = None if source.dense else source.masks(network)
    work = Workload.assumed(network, masks, pruning, lambda: source.attention(network).maps)
    with progress_over(len(fitting), "configurations") as advance:
        found = fastest(fitting, work, memory, advance)
    rows = [_row(choice) for choice in found]
    write_json(
        out,
        {
            "network": network.name,
            "part": part,
            "share": share,
            "frequency_mhz": frequency_mhz,
            "latency": latency,
            "rate": rate,
            "seed": seed,
            "tried": len(tried),
            "configurations": rows,
        },
    )
    console = Console()
    console.print(_table(found[:top], chosen_part, network.name, len(tried), len(found)))
    console.print(f"seed {seed}\n{out}")
    return rows


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


def _table(shown: list[Choice], part: Part, network: str, tried: int, fitting: int) -> Table:
    errors = ", ".join(
        f"{ULTRASCALE.headings[name]} {error:.1%}" for name, error in worst_errors().items()
    )
    clock = shown[0].candidate.config.frequency_mhz
    table = Table(
        title=f"{network} on {part.name} ({BOARDS[part.name]}): the fastest of {fitting} that fit "
        f"into {part.share:.0%}, of {tried}",
        caption=f"Images a second at {clock} MHz, which is assumed. Cells are predicted, worst "
        f"errors seen: {errors}.",
    )
    for name in ("lanes", "width", "cores", "bus bytes", "row slots", "cycles", "images/s"):
        table.add_column(name, justify="right")
    for heading in ULTRASCALE.headings.values():
        table.add_column(heading, justify="right")
    for choice in shown:
        config, done = choice.candidate.config, choice.simulation
        table.add_row(
            *map(str, (config.lanes, config.width, config.cores)),
            *map(str, (config.bus_bytes, config.row_slots)),
            f"{done.cycles.total:,}",
            f"{done.images_per_second:,.0f}",
            *(
                f"{choice.candidate.counts[name]:,g} {choice.candidate.taken[name]:.0%}"
                for name in ULTRASCALE.headings
            ),
        )
    return table
