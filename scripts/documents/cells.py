"""What tables of measurements have in common."""

import pandas as pd

from scripts.documents.measurements import MEASUREMENTS

NETWORKS = {"deit_tiny": "DeiT-Tiny", "deit_small": "DeiT-Small", "deit_base": "DeiT-Base"}
SPARSITIES = (0.5, 0.6, 0.7, 0.8)


def select(name: str, **where: object) -> pd.DataFrame:
    """Of a measurement, those that have these values."""
    rows = MEASUREMENTS[name].rows()
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    return rows


def value(name: str, column: str, **where: object) -> float:
    """The one value; raises ValueError if there is none or several."""
    (found,) = select(name, **where)[column]
    return found


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def masks_label(sparsity: float) -> str:
    return "dense" if sparsity == 0 else f"{percent(sparsity)}"


def kind(sparsity: float, *, prune: bool) -> str:
    """What a run has of masks and pruning."""
    masks = "dense" if sparsity == 0 else f"{percent(sparsity)} sparse"
    return f"{masks}, pruned" if prune else masks
