"""int8 against float, layer by layer."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.table import Table

from model.attention.mask_source import MaskSource
from model.commands.options import (
    Batch,
    Data,
    FileModelName,
    InsteadMasks,
    PreprocessingName,
    ScheduleName,
    Scores,
    Strategy,
    Weights,
    console,
    network_of_file,
    report_unreadable,
)
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.evaluation.integer_loss import IntegerLosses, measure_losses
from model.files.csv_file import PLACES, write_csv
from model.integer.network import IntegerNetwork
from model.pruning.hardware import kept_after_attention
from model.pruning.schedule_file import DEFAULT_NAME, schedule_of
from model.reference.forward import FloatReference
from model.weights.load import load_model, stated_name
from rtl_gen.files import check_writable
from rtl_gen.progress import progress_over


def integer_loss(
    file: Annotated[Path, typer.Argument(help="Integer network written by quantise.")],
    *,
    model: FileModelName = None,
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    data: Data,
    limit: Annotated[int, typer.Option(help="Use so many images, evenly spread.")] = 16,
    sparsity: Annotated[float, typer.Option(help="Of the sparse runs.")] = 0.8,
    strategy: Strategy = "vitcod",
    scores: Scores = None,
    mask_file: InsteadMasks = None,
    schedule: ScheduleName = DEFAULT_NAME,
    batch_size: Batch = 8,
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path(
        "build/accuracy/integer-loss.csv"
    ),
) -> pd.DataFrame:
    """SQNR and cosine of every layer's int8 tensors against float: dense, sparse and pruned."""
    integer = IntegerNetwork.load(file)
    network = network_of_file(integer, model)
    pruning = schedule_of(schedule, network)
    kept_after_attention(pruning, network)
    source = MaskSource(sparsity=sparsity, strategy=strategy, scores=scores, file=mask_file)
    folder = ImageFolder(data, limit, labelled=False)
    check_writable(out)
    masks = source.masks(network)
    loaded = load_model(
        network, weights, stated_name(model or network.name, weights, preprocessing)
    )
    runs = {
        "dense": FloatReference(network=network, model=loaded),
        "sparse": FloatReference(network=network, model=loaded, masks=masks),
        "sparse, pruned": FloatReference(
            network=network, model=loaded, masks=masks, schedule=pruning
        ),
    }
    with progress_over(len(runs) * len(folder)) as advance:
        losses = {
            name: measure_losses(integer, reference, folder, batch_size, advance)
            for name, reference in runs.items()
        }
    frame = pd.concat([_frame(name, found) for name, found in losses.items()])
    write_csv(out, frame, PLACES)
    label = strategy if mask_file is None else mask_file.name
    title = f"{network.name}, {label}, {len(folder) - len(folder.unreadable)} images of {data}"
    console.print(_table(frame, losses, f"{title}; {Preprocessing.of(loaded)}"))
    report_unreadable(folder.unreadable, len(folder))
    print(out)
    return frame


def _frame(run: str, losses: IntegerLosses) -> pd.DataFrame:
    places = {name: name.split(".")[1:] or ["", name] for name in losses.moments}
    return pd.DataFrame(
        [
            {
                "run": run,
                "layer": places[name][0],
                "tensor": places[name][1],
                "sqnr_db": moments.sqnr,
                "cosine": moments.cosine,
                "rows": moments.rows,
            }
            for name, moments in losses.moments.items()
        ]
    )


def _table(frame: pd.DataFrame, losses: dict[str, IntegerLosses], title: str) -> Table:
    """A row a layer: of each run the dB of its worst tensor and of its output."""
    table = Table(
        title=title,
        caption="SQNR in dB of each layer's worst tensor and of its output; all tensors and their "
        "cosines are in the file. Same tokens: survivors that int8 and float agree on.",
    )
    *_, last = losses
    by_run = {run: part.set_index(["layer", "tensor"]) for run, part in frame.groupby("run")}
    table.add_column("layer", justify="right")
    for run in losses:
        table.add_column(f"{run}: worst")
        table.add_column("x_out", justify="right")
    table.add_column("same tokens", justify="right")
    for layer, (both, every) in enumerate(losses[last].survivors):
        cells = [str(layer)]
        for run in losses:
            of_layer = by_run[run].sqnr_db[str(layer)]
            cells += [f"{of_layer.idxmin()} {of_layer.min():.1f}", f"{of_layer['x_out']:.1f}"]
        table.add_row(*cells, f"{both / every:.1%}")
    logits = (cell for run in losses for cell in ("", f"{by_run[run].sqnr_db['', 'logits']:.1f}"))
    table.add_row("logits", *logits, "")
    return table
