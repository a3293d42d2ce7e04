"""Learned scores of attention entries."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from model.attention.entry_scores import EntryScores, Settings, learn_scores
from model.attention.mask_source import maps_for
from model.commands.options import (
    Data,
    Limit,
    Maps,
    ModelName,
    Out,
    PreprocessingName,
    ScheduleName,
    Seed,
    Weights,
    report_replaced,
)
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.finetune.crops import batches, crops_of
from model.finetune.recipe import Recipe
from model.network.names import get_network
from model.pruning.schedule_file import DEFAULT_NAME, schedule_of
from model.weights.load import load_beside, load_model, stated_name
from model.weights.storage import weights_sha256
from rtl_gen.files import replace_file
from rtl_gen.progress import progress_over

DEFAULTS = Settings()


def learn_scores_command(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="Weights of the dense network to follow; default: those of --weights."),
    ] = None,
    data: Data,
    maps: Maps = None,
    schedule: ScheduleName = DEFAULT_NAME,
    limit: Limit = None,
    steps: Annotated[int, typer.Option(min=0, help="Steps of refinement.")] = DEFAULTS.steps,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a step.")] = DEFAULTS.batch_size,
    seed: Seed = 0,
    out: Out,
) -> None:
    """Learn which attention entries the output needs most, for the mask strategy `learned` (.npz).

    Weights stay as they are and labels are not used. For DeiT-Tiny, a CPU core takes about two
    minutes.
    """
    network = get_network(model)
    pruning = schedule_of(schedule, network)
    folder = ImageFolder(data, limit, labelled=False)
    averages = maps_for(network, maps)
    settings = dataclasses.replace(DEFAULTS, steps=steps, batch_size=batch_size, seed=seed)
    total = settings.start_steps + steps
    loaded = load_model(network, weights, stated_name(model, weights, preprocessing))
    followed = None if teacher is None else load_beside(loaded, network, teacher, preprocessing)
    recipe = Recipe(steps=total, batch_size=batch_size, seed=seed)
    crops = crops_of(folder, loaded, recipe)
    crops.check()
    print(f"seed {seed}, {total} steps of {batch_size} images out of {len(folder)}")
    unreadable = 0

    def images() -> Iterator[Tensor]:
        nonlocal unreadable
        for batch, skipped in batches(crops, recipe, 0, 0, next(loaded.parameters()).device):
            unreadable += skipped
            yield batch

    with replace_file(out) as file, progress_over(total, "steps") as advance:
        scores = learn_scores(
            network,
            loaded,
            averages.maps,
            images(),
            pruning,
            settings,
            lambda _, loss: advance(KL=loss),
            followed,
        )
        metadata = {
            "network": network.name,
            "images": len(folder),
            "images_sha256": folder.digest(),
            "weights_sha256": weights_sha256(weights),
            "preprocessing": Preprocessing.of(loaded).as_json(),
            "schedule": schedule,
            "settings": dataclasses.asdict(settings),
        }
        if teacher is not None:
            metadata["teacher_sha256"] = weights_sha256(teacher)
        EntryScores(scores, metadata).write(file)
    report_replaced(unreadable)
    print(f"{out}: scores {scores.shape} of {network.name}")
