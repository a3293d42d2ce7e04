"""`python -m sim_models`: sweeps of the cycle model, and its comparison with a peer's."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtl_gen import cli
from rtl_gen.config import PRESETS, get_config
from rtl_gen.files import replace_file
from sim_models.compare import comparison, comparison_table
from sim_models.figures.command import figures
from sim_models.report.command import report
from sim_models.schedule_search.command import search_schedule
from sim_models.sweeps.command import sweep

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console()


@app.callback()
def main() -> None:
    """The cycle model."""


app.command()(sweep)
app.command()(figures)
app.command()(report)
app.command()(search_schedule)


@app.command("compare-vitcod")
def compare_vitcod(
    mask: Annotated[Path, typer.Argument(help="Mask file: .npy, bool, True = dropped.")],
    *,
    model: Annotated[
        str | None, typer.Option(help="The mask must be of this model; default: any shape.")
    ] = None,
    config: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "default",
    out: Annotated[Path | None, typer.Option(help="JSON file of the result.")] = None,
) -> None:
    """Our cycles for a mask beside those of ViTCoD's published simulator."""
    result = comparison(mask, model, get_config(config))
    console.print(comparison_table(result))
    if out is not None:
        with replace_file(out) as file:
            file.write((json.dumps(result, indent=2) + "\n").encode())
        print(out)


if __name__ == "__main__":
    cli.run(app)
