"""What a run prints at its end."""

import pandas as pd
from rich.table import Table

from model.data.preprocessing import Preprocessing


def accuracy_table(accuracies: pd.DataFrame, preprocessing: Preprocessing) -> Table:
    """What `evaluation.evaluate` found on pictures of a preprocessing."""
    images = accuracies["images"].iloc[0]
    table = Table(
        title=f"Top-1 of {images} images",
        caption=f"Drop: points, ± standard error. Pictures: {preprocessing}",
    )
    table.add_column("network")
    for column in ("top-1 %", "drop"):
        table.add_column(column, justify="right")
    for row in accuracies.itertuples():
        drop = f"{row.drop:+.2f} ± {row.drop_standard_error:.2f}"
        table.add_row(row.network, f"{row.top1:.2f}", drop)
    return table


def validation_table(summary: pd.DataFrame) -> Table:
    """What `Validation.summary` says."""
    table = Table(
        title="KL divergence on held-back images, and on training images",
        caption="Of the averaged network, centre crops",
    )
    table.add_column("network")
    table.add_column("images")
    for column in ("before", "after", "least", "at step"):
        table.add_column(column, justify="right")
    for row in summary.itertuples():
        losses = (f"{value:.4f}" for value in (row.first, row.last, row.least))
        table.add_row(row.network, row.images, *losses, str(row.least_at_step))
    return table
