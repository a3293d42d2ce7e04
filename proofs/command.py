"""The command `sparse-vit prove`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from proofs.catalogue import chosen
from proofs.proof import Proof, Verdict
from proofs.solver import DEFAULT_SECONDS, decide
from rtl_gen.errors import UserError
from rtl_gen.files import make_folder, write_if_changed
from rtl_gen.json_file import json_text
from rtl_gen.progress import status

FILE = "proofs.json"


def prove(
    *,
    unit: Annotated[
        str | None, typer.Option(help="Only this unit, such as mask_decoder or bus.row_writer.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="Longest search of the solver for each proof.")
    ] = DEFAULT_SECONDS,
    out: Annotated[Path, typer.Option(help=f"Folder that gets {FILE}.")] = Path("build/proofs"),
) -> dict[str, Any]:
    """Prove properties of the units for all inputs; what is untrue comes with a counterexample.

    Raises:
        UserError: a claim is untrue, or undecided within its time.
    """
    proofs = chosen(unit)
    make_folder(out)
    console, results = Console(), []
    with status("") as say:
        for number, proof in enumerate(proofs, 1):
            say(f"{number} of {len(proofs)}: {proof.identity}")
            results.append(_row(proof, decide(proof, seconds=round(seconds))))
    console.print(_table(results))
    failed = [row for row in results if row["holds"] is not True]
    for row in failed:
        _show_failure(console, row)
    path = out / FILE
    record = {"proofs": results}
    write_if_changed(path, json_text(record))
    console.print(str(path))
    if failed:
        names = ", ".join(f"{row['unit']}:{row['name']}" for row in failed)
        raise UserError(f"{len(failed)} claims of {len(proofs)} are not proved: {names}")
    return record


def _row(proof: Proof, verdict: Verdict) -> dict[str, Any]:
    named = {"unit": proof.unit, "name": proof.name, "claim": proof.claim, "method": proof.method}
    return named | asdict(verdict) | {"seconds": round(verdict.seconds, 1)}


def _table(results: list[dict[str, Any]]) -> Table:
    table = Table("unit", "claim", "method", "seconds", "")
    words = {True: "proved", False: "[red]untrue", None: "[yellow]undecided"}
    for row in results:
        seconds = f"{row['seconds']:.1f}"
        table.add_row(row["unit"], row["claim"], row["method"], seconds, words[row["holds"]])
    return table


def _show_failure(console: Console, row: dict[str, Any]) -> None:
    """The assertion that does not hold, and the inputs up to there, those that are not 0."""
    if row["holds"] is None:
        console.print(f"{row['unit']}:{row['name']}: no answer yet, try more --seconds")
        return
    console.print(f"{row['unit']}:{row['name']}: {row['broken']}")
    for cycle, inputs in enumerate(row["cycles"]):
        driven = (f"{name}={value:#x}" for name, value in inputs.items() if value)
        console.print(f"  cycle {cycle}: {' '.join(driven)}", highlight=False)
