"""The table of accuracies: every row beside the dense float network on the same images.

What counts is the drop against the dense network, in points of top-1 over the very same images
(negative: fewer are right), and its paired standard error: that of the mean of the differences
image by image, which is smaller than that of two separate samples. Absolute figures are those of
the given images, not of ImageNet. An int8 row is also compared, in the same way, with the float row
of the same weights, masks and pruning.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from model.evaluation.statistics import standard_error
from model.files.csv_file import PLACES, write_csv
from model.masks.strategies import SPARSITY_MEANS
from rtl_gen.json_file import write_json

TOP = 5
FLOAT = "float"
ALL = "all"
"""The images of every set together."""


@dataclass(frozen=True)
class Row:
    """One network on the images: ranks of the right class, one an image (see `model.evaluation`).

    data: which images
    preprocessing: of the weights, in words
    """

    masks: str
    sparsity: float
    pruned: bool
    arithmetic: str
    ranks: Sequence[int]
    preprocessing: str = ""
    data: str = ""


def over_all(sets: Sequence[Sequence[Row]]) -> list[Row]:
    """Rows of the same networks on several sets of images, as rows of all images together."""
    return [
        replace(rows[0], data=ALL, ranks=[rank for row in rows for rank in row.ranks])
        for rows in zip(*sets, strict=True)
    ]


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Top-1, top-5 and drop of every row, in percent and points; the first row of each set of
    images is the base of all others.

    `against_float`: points of top-1 that an int8 row has more than its float row.
    """
    floats = {_place(row): row.ranks for row in rows if row.arithmetic == FLOAT}
    bases = {row.data: row.ranks for row in reversed(rows)}
    return pd.DataFrame(
        [
            {
                "data": row.data,
                "masks": row.masks,
                "sparsity": row.sparsity,
                "pruned": row.pruned,
                "arithmetic": row.arithmetic,
                "preprocessing": row.preprocessing,
                **figures(row.ranks, bases[row.data]),
                **_against_float(row, floats.get(_place(row))),
            }
            for row in rows
        ]
    )


def _place(row: Row) -> tuple[str, str, float, bool]:
    return row.data, row.masks, row.sparsity, row.pruned


def _against_float(row: Row, ranks: Sequence[int] | None) -> dict[str, float]:
    change = error = math.nan
    if row.arithmetic != FLOAT and ranks is not None:
        change, error = paired(row.ranks, ranks)
    return {"against_float": change, "against_float_standard_error": error}


def figures(ranks: Sequence[int], base: Sequence[int]) -> dict[str, float]:
    """Of ranks on the same images as the base's: top-1, top-5, drop and its standard error."""
    found = np.array(ranks)
    change, error = paired(ranks, base)
    return {
        "images": len(found),
        "top1": 100 * np.mean(found == 0),
        "top5": 100 * np.mean(found < TOP),
        "drop": change,
        "drop_standard_error": error,
    }


def paired(ranks: Sequence[int], base: Sequence[int]) -> tuple[float, float]:
    """Points of top-1 more than the base has on the same images, and their standard error."""
    change = (np.array(ranks) == 0).astype(int) - (np.array(base) == 0)
    return 100 * np.mean(change), 100 * standard_error(change)


def write(frame: pd.DataFrame, settings: dict[str, Any], stem: Path) -> tuple[Path, Path]:
    """`stem`.csv with the rows, `stem`.json with rows and settings."""
    csv, document = stem.with_suffix(".csv"), stem.with_suffix(".json")
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    write_csv(csv, frame, PLACES)
    write_json(document, {"settings": settings, "rows": rows})
    return csv, document


def render(frame: pd.DataFrame, title: str) -> Table:
    pictures = frame.preprocessing.unique()
    table = Table(
        title=title,
        caption="Drop: points of top-1 against the dense float network on the same images, "
        f"± its paired standard error. Not ImageNet accuracy. {SPARSITY_MEANS}. "
        f"Pictures: {' or '.join(pictures)}.",
    )
    differ = len(pictures) > 1
    several = frame.data.nunique() > 1
    for column in (
        *["images"] * several,
        *("masks", "sparsity", "tokens", "arithmetic"),
        *["pictures"] * differ,
    ):
        table.add_column(column)
    compared = frame.against_float.notna().any()
    for column in ("top-1 %", "top-5 %", "drop", *(["int8 - float"] if compared else [])):
        table.add_column(column, justify="right")
    for row in frame.itertuples():
        cells = [
            *[f"{row.images} of {row.data}"] * several,
            row.masks,
            f"{row.sparsity:.1%}",
            "pruned" if row.pruned else "all",
            row.arithmetic,
            *[row.preprocessing] * differ,
            f"{row.top1:.2f}",
            f"{row.top5:.2f}",
            _with_error(row.drop, row.drop_standard_error),
        ]
        if compared:
            cells.append(_with_error(row.against_float, row.against_float_standard_error))
        table.add_row(*cells)
    return table


def _with_error(change: float, error: float) -> str:
    return "" if np.isnan(change) else f"{change:+.2f} ± {error:.2f}"
