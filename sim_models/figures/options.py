"""What the commands of figures and of the report share."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console

from model.network.fit import check_fit
from model.network.names import NAMES_MEAN, NETWORKS, get_network
from rtl_gen.cli import LARGEST_SEED
from rtl_gen.presets import PRESETS, get_config
from rtl_gen.progress import progress_over
from sim_models.figures.catalogue import FIGURES
from sim_models.figures.workload import Setting
from sim_models.memory import MemoryTiming

ConfigOption = Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")]
ModelOption = Annotated[str, typer.Option(help=f"Shown in timeline and pareto: {NAMES_MEAN}.")]
CompareOption = Annotated[
    list[str],
    typer.Option(
        "--compare",
        help="Network that breakdown and speedup compare, repeatable; default: "
        f"{', '.join(NETWORKS)} for one of them, else the model alone.",
    ),
]
LatencyOption = Annotated[
    int, typer.Option(help="Memory's cycles from an address to its first beat.")
]
RateOption = Annotated[
    int | None, typer.Option(help="Memory's bytes a cycle.", show_default="the port's width")
]
SeedOption = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the synthetic attention maps.")
]

_messages = Console(stderr=True)


def make_setting(
    config: str,
    model: str,
    latency: int,
    rate: int | None,
    seed: int,
    compare: Sequence[str] = (),
) -> Setting:
    """The options as one object.

    Raises:
        UserError: an unknown preset or model, a memory that cannot be, or a preset too small for
            the networks.
    """
    network = get_network(model)
    compared = [get_network(name) for name in compare]
    if not compared:
        compared = list(NETWORKS.values()) if network.name in NETWORKS else [network]
    setting = Setting(
        config=get_config(config),
        memory=MemoryTiming(latency, rate),
        seed=seed,
        networks=tuple(compared),
        network=network,
    )
    setting.memory.bytes_a_cycle(setting.config)
    for network in (*setting.networks, setting.network):
        check_fit(setting.config, network)
    return setting


def evaluate(setting: Setting, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """The data of the figures `names`, with a progress bar for each."""
    result = {}
    for name in names:
        with progress_over(FIGURES[name].points(setting), name) as advance:
            result[name] = FIGURES[name].data(setting, advance)
    return result
