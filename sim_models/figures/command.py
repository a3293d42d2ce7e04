"""Figures as PNG and SVG, their data as CSV and as tables."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console

from model.network.names import DEIT_TINY
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from sim_models.figures.catalogue import FIGURES, write_figure
from sim_models.figures.options import (
    CompareOption,
    ConfigOption,
    LatencyOption,
    ModelOption,
    RateOption,
    SeedOption,
    evaluate,
    make_setting,
)
from sim_models.figures.tables import terminal_table
from sim_models.memory import DEFAULT_MEMORY

ALL = "all"


def figures(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(FIGURES)}; default: {ALL}.")
    ] = None,
    *,
    config: ConfigOption = "default",
    model: ModelOption = DEIT_TINY.name,
    compare: CompareOption = (),
    latency: LatencyOption = DEFAULT_MEMORY.latency,
    rate: RateOption = DEFAULT_MEMORY.rate,
    seed: SeedOption = 0,
    out: Annotated[Path, typer.Option(help="Folder that gets the files.")] = Path("build/figures"),
) -> dict[str, pd.DataFrame]:
    """Figures of FLOPs, cycles and speed-up (PNG, SVG, CSV)."""
    chosen = _chosen(names or [ALL])
    setting = make_setting(config, model, latency, rate, seed, compare)
    check_writable(out / f"{chosen[0]}.csv")
    results = evaluate(setting, chosen)
    console = Console()
    console.print(f"preset {config}, memory latency {latency}, seed {seed}")
    files = []
    for name, data in results.items():
        console.print(terminal_table(FIGURES[name].table(data)))
        files += write_figure(name, data, out)
    print("\n".join(map(str, files)))
    return results


def _chosen(names: list[str]) -> list[str]:
    for name in names:
        if name not in (*FIGURES, ALL):
            raise UserError(f"no figure {name!r}: expected some of {', '.join(FIGURES)} or {ALL}")
    return list(FIGURES) if ALL in names else list(dict.fromkeys(names))
