"""One self-contained HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from model.network.names import DEIT_TINY
from rtl_gen.files import check_writable, replace_file
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
from sim_models.memory import DEFAULT_MEMORY
from sim_models.report.page import render_report
from sim_models.report.plots import PLOTS
from sim_models.report.rtl_runs import find_evidence


def report(
    *,
    config: ConfigOption = "default",
    model: ModelOption = DEIT_TINY.name,
    compare: CompareOption = (),
    latency: LatencyOption = DEFAULT_MEMORY.latency,
    rate: RateOption = DEFAULT_MEMORY.rate,
    seed: SeedOption = 0,
    runs: Annotated[Path, typer.Option(help="Folder of RTL runs.")] = Path("build/deit"),
    calibration: Annotated[Path, typer.Option(help="Report of the calibration.")] = Path(
        "build/calibration/report.json"
    ),
    out: Annotated[Path, typer.Option(help="The page.")] = Path("build/report/report.html"),
) -> None:
    """A page of speed-up, breakdown, timeline, Pareto front and RTL runs (HTML)."""
    setting = make_setting(config, model, latency, rate, seed, compare)
    check_writable(out)
    evidence = find_evidence(runs, calibration)
    print(f"preset {config}, memory latency {latency}, seed {seed}")
    page = render_report(setting, evaluate(setting, PLOTS), evidence)
    with replace_file(out) as file:
        file.write(page.encode())
    print(out)
