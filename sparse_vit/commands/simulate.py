"""One network, mask and schedule through the cycle model."""

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
from model.network.names import get_network
from model.program.choices import preset_for
from model.pruning.schedule_file import schedule_name, schedule_of
from rtl_gen.commands.options import Overrides, parse_overrides
from rtl_gen.files import check_writable
from rtl_gen.json_file import write_json
from rtl_gen.presets import get_config
from sim_models.memory import DEFAULT_MEMORY
from sparse_vit import simulation


def simulate(
    *,
    model: ModelName = "deit_tiny",
    sparsity: Annotated[float, typer.Option(help="Fraction of attention to drop.")] = 0.8,
    mask_file: InsteadMasks = None,
    strategy: Strategy = MASK_STRATEGY,
    scores: Scores = None,
    maps: Maps = None,
    schedule: ScheduleChoice = None,
    prune: Prune = True,
    config: Annotated[
        str | None, typer.Option(help="Preset; default: the first with heads as wide.")
    ] = None,
    set_: Overrides = None,
    latency: Annotated[int, typer.Option(help="Of the memory, in cycles.")] = (
        DEFAULT_MEMORY.latency
    ),
    rate: Annotated[
        int | None, typer.Option(help="Bytes a cycle of the memory; default: the port's width.")
    ] = None,
    energy: Annotated[Path | None, typer.Option(help="YAML file of picojoules.")] = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file of the result.")] = None,
) -> dict[str, Any]:
    """Cycles, utilisation, traffic and energy of one image, equal to the RTL's, in a second.

    Which tokens survive is assumed from averaged attention, since there is no picture.
    """
    network = get_network(model)
    source = MaskSource(
        sparsity=sparsity,
        strategy=strategy,
        file=mask_file,
        scores=scores,
        maps=maps,
        stand_in=seed,
    )
    pruning = schedule_of(schedule_name(schedule, prune=prune), network)
    choice = get_config(config or preset_for(network), **parse_overrides(set_))
    if out is not None:
        check_writable(out)
    report = simulation.simulate(
        network,
        None if source.dense else source.masks(network),
        pruning,
        preset=choice,
        maps=source.attention(network) if pruning.prunes(network) else None,
        latency=latency,
        rate=rate,
        energy=energy,
    )
    result = report.as_dict()
    Console().print(_table(report))
    if out is not None:
        write_json(out, result)
        print(out)
    return result


def _table(report: simulation.Report) -> Table:
    energy = ", ".join(f"{name} {value:,.1f}" for name, value in report.energy.items())
    table = Table(
        title=report.summary(),
        caption=f"Energy in uJ: {energy}. Bytes read {report.traffic['read']:,}, written "
        f"{report.traffic['written']:,}. Attention keeps {report.attention_utilisation:.1%} of the "
        f"multipliers busy. {report.images_per_second:,.0f} images a second.",
    )
    table.add_column("operation")
    for name in ("cycles", "share", "dense", "speed-up"):
        table.add_column(name, justify="right")
    for operation, row in report.frame.iterrows():
        if operation == "total":
            table.add_section()
        table.add_row(
            str(operation).replace("_", " "),
            f"{row.cycles:,.0f}",
            f"{row.share:.1%}",
            f"{row.dense:,.0f}",
            f"{row.speedup:.2f}" if row.cycles else "",
        )
    return table
