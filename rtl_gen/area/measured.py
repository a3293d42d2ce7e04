"""What synthesis counted: a row a unit of a sample."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from rtl_gen.config import AcceleratorConfig
from rtl_gen.files import write_if_changed
from rtl_gen.synthesis.technology import Counts

_CHOICES = [
    field.name for field in fields(AcceleratorConfig) if field.name not in ("frequency_mhz",)
]
"""Of a configuration; its clock is in no gate."""


@dataclass(frozen=True)
class Row:
    """A unit of a sample, once, however many cores there are."""

    sample: str
    config: AcceleratorConfig
    unit: str
    text: str
    """Digest of the unit's Verilog and of the tool that mapped it."""
    counts: Counts
    """Columns that were not counted are missing."""


def read(path: Path) -> list[Row]:
    """All rows of a file; a choice that it does not have yet has its default."""
    with path.open(newline="") as file:
        return [_row(cells) for cells in csv.DictReader(file)]


def write(path: Path, rows: Iterable[Row], columns: Sequence[str]) -> None:
    """A file of these rows, whose counts have the `columns`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["sample", *_CHOICES, "unit", "text", *columns])
    for row in rows:
        choices = (getattr(row.config, name) for name in _CHOICES)
        known = row.counts
        counts = (f"{known[column]:.10g}" if column in known else "" for column in columns)
        table.writerow([row.sample, *choices, row.unit, row.text, *counts])
    write_if_changed(path, text.getvalue())


def _row(cells: dict[str, str]) -> Row:
    chosen = {name: int(cells.pop(name)) for name in _CHOICES if name in cells}
    config = AcceleratorConfig(**chosen)
    sample, unit, text = (cells.pop(name) for name in ("sample", "unit", "text"))
    counts = {name: float(count) for name, count in cells.items() if count}
    return Row(sample, config, unit, text, counts)
