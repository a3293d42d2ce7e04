"""The table of accuracies: every row beside the dense float network on the same images.

What counts is the drop against the dense network, in points of top-1 over the very same images
(negative: fewer are right), and its paired standard error: that of the mean of the differences
image by image, which is smaller than that of two separate samples. Absolute figures are those of
the given images, not of ImageNet.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from model.files import replace_file

TOP = 5


@dataclass(frozen=True)
class Row:
    """One network on the images: ranks of the right class, one an image (see `model.accuracy`)."""

    masks: str
    sparsity: float
    pruned: bool
    arithmetic: str
    ranks: Sequence[int]


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Top-1, top-5 and drop of every row, in percent and points; the first row is the base."""
    return pd.DataFrame(
        [
            {
                "masks": row.masks,
                "sparsity": row.sparsity,
                "pruned": row.pruned,
                "arithmetic": row.arithmetic,
                **figures(row.ranks, rows[0].ranks),
            }
            for row in rows
        ]
    )


def figures(ranks: Sequence[int], base: Sequence[int]) -> dict[str, float]:
    """Of ranks on the same images as the base's: top-1, top-5, drop and its standard error."""
    found, hits = np.array(ranks), np.array(ranks) == 0
    change = hits.astype(int) - (np.array(base) == 0)
    error = np.std(change, ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
    return {
        "images": len(found),
        "top1": 100 * np.mean(hits),
        "top5": 100 * np.mean(found < TOP),
        "drop": 100 * np.mean(change),
        "drop_standard_error": 100 * error,
    }


def write(frame: pd.DataFrame, settings: dict[str, Any], stem: Path) -> tuple[Path, Path]:
    """`stem`.csv with the rows, `stem`.json with rows and settings."""
    csv, document = stem.with_suffix(".csv"), stem.with_suffix(".json")
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    with replace_file(csv) as file:
        file.write(frame.to_csv(index=False, float_format="%.4f", lineterminator="\n").encode())
    with replace_file(document) as file:
        file.write(json.dumps({"settings": settings, "rows": rows}, indent=2).encode() + b"\n")
    return csv, document


def render(frame: pd.DataFrame, title: str) -> Table:
    table = Table(
        title=title,
        caption="Drop: points of top-1 against the dense float network on the same images, "
        "± its paired standard error. Not ImageNet accuracy.",
    )
    for column in ("masks", "sparsity", "tokens", "arithmetic"):
        table.add_column(column)
    for column in ("top-1 %", "top-5 %", "drop"):
        table.add_column(column, justify="right")
    for row in frame.itertuples():
        table.add_row(
            row.masks,
            f"{row.sparsity:.1%}",
            "pruned" if row.pruned else "all",
            row.arithmetic,
            f"{row.top1:.2f}",
            f"{row.top5:.2f}",
            f"{row.drop:+.2f} ± {row.drop_standard_error:.2f}",
        )
    return table
