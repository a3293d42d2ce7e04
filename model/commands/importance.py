"""Measures of a token's importance, compared."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.table import Table

from model.commands.options import (
    Batch,
    LabelFile,
    LabelledData,
    Limit,
    Masks,
    ModelName,
    PreprocessingName,
    ScheduleName,
    Weights,
    console,
    report_unreadable,
)
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.evaluation.ranks import ranks
from model.evaluation.table import figures
from model.files.csv_file import PLACES, write_csv
from model.masks.vitcod_file import read_masks
from model.network.names import get_network
from model.pruning.importance import COLUMN_SUM, MEASURES
from model.pruning.schedule import NO_PRUNING
from model.pruning.schedule_file import DEFAULT_NAME, schedule_of
from model.reference.forward import FloatReference
from model.weights.load import load_model, stated_name
from rtl_gen.files import check_writable
from rtl_gen.progress import progress_over


def importance_command(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    data: LabelledData,
    labels: LabelFile = None,
    limit: Limit = None,
    mask_file: Masks = None,
    schedule: ScheduleName = DEFAULT_NAME,
    batch_size: Batch = 16,
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path(
        "build/accuracy/importance.csv"
    ),
) -> pd.DataFrame:
    """What pruning costs the float network by each measure of importance, by images that choose.

    Every measure runs without and with a package token. Drops are against the network that drops
    no token, on the same images and with the same masks.
    """
    network = get_network(model)
    pruning = schedule_of(schedule, network)
    folder = ImageFolder(data, limit, labels=labels)
    kept = None if mask_file is None else read_masks(mask_file, network)
    check_writable(out)
    loaded = load_model(network, weights, stated_name(model, weights, preprocessing))
    runs = {("none", False): (COLUMN_SUM, NO_PRUNING)} | {
        (name, package): (measure, pruning)
        for package in (False, True)
        for name, measure in MEASURES.items()
        if network.prefix_tokens or not measure.of_class_token
    }
    found = {}
    with progress_over(len(runs) * len(folder)) as advance:
        for (name, package), (measure, used) in runs.items():
            reference = FloatReference(
                network=network,
                model=loaded,
                masks=kept,
                schedule=used,
                measure=measure,
                package=package,
            )
            found[name, package] = ranks(reference, None, folder, batch_size, advance)
    base = found["none", False]
    frame = pd.DataFrame(
        [
            {
                "importance": name,
                "package_token": package,
                "preprocessing": str(Preprocessing.of(loaded)),
                **figures(row, base),
            }
            for (name, package), row in found.items()
        ]
    )
    write_csv(out, frame, PLACES)
    table = Table(
        title=f"{network.name}, {schedule}, {frame.images[0]} images of {data}",
        caption=f"Pictures: {Preprocessing.of(loaded)}",
    )
    for column in ("importance", "package token", "top-1 %", "drop"):
        table.add_column(column, justify="left" if column == "importance" else "right")
    for row in frame.itertuples():
        table.add_row(
            row.importance,
            "yes" if row.package_token else "no",
            f"{row.top1:.2f}",
            f"{row.drop:+.2f} ± {row.drop_standard_error:.2f}",
        )
    console.print(table)
    report_unreadable(folder.unreadable, len(folder))
    print(out)
    return frame
