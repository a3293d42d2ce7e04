"""Our cycles for a mask file beside those of a peer's simulator."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rtl_gen.json_file import write_json
from rtl_gen.presets import PRESETS, get_config
from sim_models.compare import comparison, comparison_table

console = Console()


def compare_vitcod(
    mask: Annotated[Path, typer.Argument(help="Mask file: .npy, bool, True = dropped.")],
    *,
    model: Annotated[
        str | None, typer.Option(help="The mask must be of this model; default: any shape.")
    ] = None,
    config: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "default",
    out: Annotated[Path | None, typer.Option(help="JSON file of the result.")] = None,
) -> dict[str, Any]:
    """Our cycles for a mask beside those of ViTCoD's published simulator."""
    result = comparison(mask, model, get_config(config))
    console.print(comparison_table(result))
    if out is not None:
        write_json(out, result)
        print(out)
    return result
