"""The command `sparse-vit mutate`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cocotb_tests.mutants.run import draw, survives
from rtl_gen.files import make_folder, write_if_changed
from rtl_gen.json_file import json_text
from rtl_gen.progress import progress_over

FILE = "mutants.json"


def mutate(
    *,
    unit: Annotated[
        str | None, typer.Option(help="Only this unit, such as topk or pruning.topk.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Mutants, drawn from all.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Draws them.")] = 0,
    out: Annotated[Path, typer.Option(help=f"Folder that gets {FILE}.")] = Path("build/mutants"),
) -> dict[str, Any]:
    """Replace operators of the units one by one; list those that no bench of the unit notices."""
    drawn = draw(unit, count, seed)
    make_folder(out)
    console = Console()
    survivors = []
    with progress_over(len(drawn), "mutants") as advance:
        for one in drawn:
            if survives(one):
                place = {"unit": one.unit, "line": one.mutant.line}
                survivors.append(place | {"before": one.mutant.before, "after": one.mutant.after})
            advance()
    table = Table("unit", "line", "is", "survives as")
    for row in survivors:
        code = (escape(row["before"]), escape(row["after"]))
        table.add_row(row["unit"], str(row["line"]), *code)
    console.print(table)
    console.print(f"{len(drawn) - len(survivors)} of {len(drawn)} noticed, seed {seed}")
    record = {"seed": seed, "mutants": len(drawn), "survivors": survivors}
    path = out / FILE
    write_if_changed(path, json_text(record))
    console.print(str(path))
    return record
