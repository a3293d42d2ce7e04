"""Tables of results as text, for the terminal and for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

FILE_WIDTH = 160
"""Columns of tables that do not go to a terminal."""


class Column(NamedTuple):
    """How a column of a data frame is shown."""

    key: str
    header: str
    format: str = "{}"
    """Of a cell, such as {:,}; text stands left, numbers right."""


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Cells ready to print; a missing value is an empty cell."""

    name: str
    title: str
    caption: str = ""
    headers: tuple[str, ...]
    numeric: tuple[bool, ...]
    """Whether a column holds numbers."""
    rows: tuple[tuple[str, ...], ...]


def text_table(
    name: str, title: str, data: pd.DataFrame, columns: Sequence[Column], caption: str = ""
) -> TextTable:
    """The `columns` of `data`, a line a row."""
    cells = [
        ["" if pd.isna(value) else column.format.format(value) for value in data[column.key]]
        for column in columns
    ]
    return TextTable(
        name=name,
        title=title,
        caption=caption,
        headers=tuple(column.header for column in columns),
        numeric=tuple(pd.api.types.is_numeric_dtype(data[column.key]) for column in columns),
        rows=tuple(zip(*cells, strict=True)),
    )


def table_console() -> Console:
    """A console for tables: wide where no terminal has a width."""
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    return console


def terminal_table(table: TextTable) -> Table:
    """The table as rich prints it."""
    shown = Table(
        title=table.title,
        caption=table.caption or None,
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    for header, numeric in zip(table.headers, table.numeric, strict=True):
        shown.add_column(header, justify="right" if numeric else "left", no_wrap=not numeric)
    for row in table.rows:
        shown.add_row(*row)
    return shown
