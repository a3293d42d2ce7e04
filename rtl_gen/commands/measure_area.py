"""Synthesis of the configurations that the model of the area is fitted on."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rtl_gen.area.measure import measure
from rtl_gen.area.model import MEASURED
from rtl_gen.area.samples import samples
from rtl_gen.files import check_writable
from rtl_gen.progress import status


def measure_area(
    *,
    out: Annotated[Path, typer.Option(help="File to bring up to date.")] = MEASURED,
) -> dict[str, Any]:
    """Cells of every sample's units, of an UltraScale+ and standard ones, if they are missing.

    Minutes a small sample, a quarter of an hour a large one. What was mapped stays if it is
    stopped.
    """
    check_writable(out)
    chosen = samples()
    with status("synthesising") as say:
        measure(chosen, out, say)
    print(f"{len(chosen)} configurations: {out}")
    return {"configurations": list(chosen), "file": str(out)}
