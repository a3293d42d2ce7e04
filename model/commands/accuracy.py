"""Accuracy of the float network."""

import typer

from model.commands.options import (
    Batch,
    Data,
    Limit,
    Masks,
    ModelName,
    Reading,
    Weights,
    reference_of,
    report_unreadable,
)
from model.images import ImageFolder
from model.networks import get_network

app = typer.Typer()


@app.command()
def accuracy(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    data: Data,
    limit: Limit = None,
    mask_file: Masks = None,
    reading: Reading = "none",
    batch_size: Batch = 32,
) -> None:
    """Top-1 accuracy of the float network with masks and pruning."""
    folder = ImageFolder(data, limit)
    reference = reference_of(get_network(model), weights, mask_file, reading)
    top1 = reference.accuracy(folder, batch_size)
    report_unreadable(folder)
    print(f"top-1 {top1:.2%} of {len(folder) - len(folder.unreadable)} images")
