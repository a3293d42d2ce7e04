"""The accuracy table: sparsity, pruning and integers against the dense network."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from model.attention.entry_scores import scores_for
from model.attention.mask_source import MaskSource
from model.commands.options import (
    Batch,
    InsteadMasks,
    LabelFile,
    LabelledFolders,
    Limit,
    Maps,
    ModelName,
    PreprocessingName,
    ScheduleName,
    Scores,
    Seed,
    Strategy,
    Weights,
    console,
    report_unreadable,
)
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.evaluation.calibration_images import CalibrationImages, check_apart, check_different
from model.evaluation.evaluation import Subject, evaluate, variants
from model.evaluation.integer_accuracy import check_same
from model.evaluation.table import over_all, render, to_frame, write
from model.files.finished_rows import FinishedRows
from model.finetune.run import read_run
from model.network.names import get_network
from model.program.choices import integer_network
from model.pruning.hardware import kept_after_attention
from model.pruning.schedule_file import DEFAULT_NAME, schedule_of
from model.weights.load import load_model, stated_name
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.progress import progress_over

Sparsities = Annotated[list[float], typer.Option("--sparsity", help="Repeat for several.")]


def accuracy(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    data: LabelledFolders,
    labels: LabelFile = None,
    limit: Limit = None,
    calib: Annotated[
        Path | None, typer.Option(help="Other images: attention maps and int8 ranges from them.")
    ] = None,
    calib_limit: Annotated[int, typer.Option(help="Calibration images to use.")] = 250,
    maps: Maps = None,
    sparsity: Sparsities = (0.5, 0.6, 0.7, 0.8),
    strategy: Strategy = "vitcod",
    scores: Scores = None,
    mask_file: InsteadMasks = None,
    schedule: ScheduleName = DEFAULT_NAME,
    finetuned: Annotated[
        list[Path], typer.Option(help="Folder of a fine-tuning run, for its rows; repeatable.")
    ] = (),
    integer: Annotated[bool, typer.Option(help="Also run the int8 golden model.")] = True,
    network_file: Annotated[
        Path | None, typer.Option("--network", help="Calibrated integer network; else from CALIB.")
    ] = None,
    batch_size: Batch = 16,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/accuracy"),
) -> pd.DataFrame:
    """Drops against the dense float network on the same images: sparse, pruned, float and int8.

    Finished rows are kept in OUT and not evaluated again. These are not ImageNet accuracies, unless
    the images are ImageNet's own.
    """
    network = get_network(model)
    stated = stated_name(model, weights, preprocessing)
    pruning = schedule_of(schedule, network)
    if mask_file is None:
        sources = [
            MaskSource(sparsity=value, strategy=strategy, scores=scores, maps=maps)
            for value in sparsity
        ]
    else:
        sources = [MaskSource(file=mask_file)]
    check_different(data)
    folders = [ImageFolder(each, limit, labels=labels) for each in data]
    if calib is not None:
        for each in data:
            check_apart(calib, each)
    if integer:
        kept_after_attention(pruning, network)
        if network_file is None and calib is None:
            raise UserError(
                "the int8 rows need calibration images (--calib) or a calibrated network "
                "(--network): name one, or leave the rows out with --no-integer"
            )
        if finetuned and calib is None:
            raise UserError(
                "the int8 rows of a fine-tuning run need calibration images (--calib): name them, "
                "or leave the rows out with --no-integer"
            )
    integers = integer_network(network, network_file, seed) if integer and network_file else None
    averaged = mask_file is None and maps is None and calib is not None
    if not averaged:
        masks = [source.masks(network) for source in sources]
    else:
        scores_for(strategy, network.name, scores)
    images = None if calib is None else ImageFolder(calib, calib_limit, labelled=False)
    runs = {run.name: read_run(run, network, preprocessing) for run in finetuned}
    if len(runs) < len(finetuned):
        raise UserError("two fine-tuning runs have folders of one name: rename one")
    check_writable(out / f"{network.name}.csv")
    loaded = load_model(network, weights, stated)
    if integers is not None:
        check_same(integers, network, loaded)

    if images is not None:
        calibration = CalibrationImages(
            network=network,
            model=loaded,
            images=images,
            seed=seed,
            batch_size=batch_size,
            folder=out,
            bar=progress_over,
        )
        if averaged:
            found = str(calibration.attention_maps())
            masks = [replace(source, maps=found).masks(network) for source in sources]
        if integer and integers is None:
            integers = calibration.integer_network()
    subjects = [Subject(label="dense", model=loaded, integers=integers)]
    kind = strategy if mask_file is None else mask_file.name
    subjects += [Subject(label=kind, model=loaded, masks=kept, integers=integers) for kept in masks]
    for name, (tuned, kept) in runs.items():
        in_integers = replace(calibration, model=tuned).integer_network(kept) if integer else None
        subjects.append(Subject(label=name, model=tuned, masks=kept, integers=in_integers))

    finished = FinishedRows(out / f"{network.name}.rows.jsonl")
    wanted = variants(network, subjects, pruning)
    results = [evaluate(each, wanted, finished, batch_size, progress_over) for each in folders]
    sets = [result.rows for result in results]
    found = [row for rows in sets for row in rows]
    frame = to_frame([*found, *(over_all(sets) if len(sets) > 1 else ())])
    settings = {
        "model": network.name,
        "weights": None if weights is None else weights.name,
        "preprocessing": Preprocessing.of(loaded).as_json(),
        "data": [each.resolve().name for each in data],
        "labels": None if labels is None else labels.name,
        "unreadable": [path for result in results for path in result.unreadable],
        "calibration": None if calib is None else calib.resolve().name,
        "calibration_images": None if images is None else len(images),
        "masks": kind,
        "finetuned": list(runs),
        "schedule": schedule,
        "integers": None if integers is None else dict(integers.metadata),
        "seed": seed,
    }
    written = write(frame, settings, out / network.name)
    images_of = " and ".join(map(str, data))
    console.print(render(frame, f"{network.name}, {frame.images.iloc[-1]} images of {images_of}"))
    for result, folder in zip(results, folders, strict=True):
        report_unreadable(result.unreadable, len(folder))
    if images is not None:
        report_unreadable(images.unreadable, len(images))
    reused = sum(result.reused for result in results)
    print(f"{written[0]}, {written[1]}; seed {seed}; {reused} of {len(found)} rows reused")
    return frame
