"""Fine-tuning of sparse, pruned networks."""

import dataclasses
import hashlib
import json
import time
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import typer

from model.attention.mask_source import MaskSource
from model.commands.options import (
    InsteadMasks,
    LabelFile,
    Limit,
    Maps,
    ModelName,
    PreprocessingName,
    ScheduleName,
    Scores,
    Seed,
    Strategy,
    TrainingFolders,
    Weights,
    console,
    report_replaced,
    report_unreadable,
)
from model.data.image_folder import ImageFolder, joined
from model.data.preprocessing import Preprocessing
from model.finetune.crops import crops_of
from model.finetune.evaluation import evaluate
from model.finetune.recipe import Augmentation, Recipe
from model.finetune.run import MASKS, NETWORK, REPORT, Run
from model.finetune.tables import accuracy_table, validation_table
from model.finetune.trainer import Trainer
from model.finetune.validation import Validation, split
from model.masks.strategies import SPARSITY_MEANS, sparsity_of
from model.network.names import get_network
from model.pruning.schedule_file import DEFAULT_NAME, schedule_of
from model.reference.forward import FloatReference
from model.weights.load import load_beside, load_model, stated_name
from model.weights.storage import weights_sha256
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.json_file import write_json
from rtl_gen.progress import progress_over

DEFAULT = Recipe()


def finetune(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    start: Annotated[
        Path | None, typer.Option(help="Weights to start from; default: the dense network's.")
    ] = None,
    data: TrainingFolders,
    limit: Limit = None,
    hold_back: Annotated[
        int, typer.Option(min=0, help="So many images are measured instead of trained on.")
    ] = 0,
    evaluate_on: Annotated[
        Path | None, typer.Option("--eval", help="Labelled images: accuracy before and after.")
    ] = None,
    labels: LabelFile = None,
    sparsity: Annotated[float, typer.Option(help="Fraction of attention to drop.")] = 0.8,
    strategy: Strategy = "layer_threshold",
    maps: Maps = None,
    scores: Scores = None,
    mask_file: InsteadMasks = None,
    schedule: ScheduleName = DEFAULT_NAME,
    steps: Annotated[int, typer.Option(help="Steps of the whole run.")] = DEFAULT.steps,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = DEFAULT.batch_size,
    learning_rate: Annotated[float, typer.Option(help="Peak.")] = DEFAULT.learning_rate,
    weight_decay: Annotated[float, typer.Option(help="AdamW's.")] = DEFAULT.weight_decay,
    prune_share: Annotated[
        float, typer.Option(help="Fraction of the steps in which tokens are pruned.")
    ] = DEFAULT.prune_share,
    hidden_weight: Annotated[
        float, typer.Option(help="Of the loss of the tokens between layers.")
    ] = DEFAULT.hidden_weight,
    average_decay: Annotated[
        float, typer.Option(help="Of the moving average of the weights, which is the result.")
    ] = DEFAULT.average_decay,
    augmentation: Annotated[
        Augmentation, typer.Option(help="crop, or full: DeiT's recipe.")
    ] = DEFAULT.augmentation,
    bf16: Annotated[
        bool, typer.Option(help="Mixed precision; slow on a CPU without bfloat16.")
    ] = DEFAULT.bf16,
    seed: Seed = DEFAULT.seed,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of PyTorch.")] = None,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 50,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore a checkpoint.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder; default: build/finetune/<model>-<masks>.")
    ] = None,
) -> dict[str, Any]:
    """Recover accuracy with the masks fixed and pruning active, by distillation; no labels needed.

    A run that was stopped continues from its folder's checkpoint; a finished one is left as it is.
    """
    recipe = Recipe(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        prune_share=prune_share,
        hidden_weight=hidden_weight,
        average_decay=average_decay,
        augmentation=augmentation,
        bf16=bf16,
        seed=seed,
    )
    network, place = get_network(model), _device(device)
    stated = stated_name(model, weights, preprocessing)
    pruning = schedule_of(schedule, network)
    source = MaskSource(
        sparsity=sparsity, strategy=strategy, file=mask_file, scores=scores, maps=maps
    )
    masks = source.masks(network)
    folder = joined([ImageFolder(each, limit, labelled=False) for each in data])
    parts = split(folder, hold_back, seed)
    if labels is not None and evaluate_on is None:
        raise UserError(f"--labels {labels} is for images of --eval: name their folder, too")
    labelled = None if evaluate_on is None else ImageFolder(evaluate_on, labels=labels)
    target = out or Path("build/finetune") / f"{network.name}-{source.label}"
    check_writable(target / "report.json")
    if threads is not None:
        torch.set_num_threads(threads)
    teacher = load_model(network, weights, stated)
    begun = None if start is None else load_beside(teacher, network, start, preprocessing)
    used = Preprocessing.of(teacher)
    trainer = Trainer(
        network=network,
        teacher=teacher,
        start=begun,
        masks=masks,
        schedule=pruning,
        recipe=recipe,
        device=place,
    )
    validation = None
    if hold_back:
        validation = Validation(trainer=trainer, training=parts.measured, held_back=parts.held_back)
    run = Run(
        trainer=trainer,
        crops=crops_of(parts.training, trainer.teacher, recipe),
        folder=target,
        settings={
            "network": network.name,
            "weights_sha256": weights_sha256(weights),
            "start_sha256": weights_sha256(start),
            "preprocessing": used.as_json(),
            "masks_sha256": hashlib.sha256(masks.tobytes()).hexdigest(),
            "schedule": schedule,
            "kept_tokens": pruning.kept_tokens(network),
            "images_sha256": _names_sha256(folder),
            "hold_back": hold_back or None,
            **dataclasses.asdict(recipe),
        },
        checkpoint_every=checkpoint_every,
        workers=workers,
        validation=validation,
    )
    done = 0 if fresh else run.resume()
    if done == recipe.steps and (target / REPORT).is_file():
        print(
            f"{target} is finished, all {done} steps are done and nothing was changed: train "
            f"further with --start {target / NETWORK} and another --out, or anew with --fresh"
        )
        return json.loads((target / REPORT).read_text())
    held = f" ({hold_back} held back)" if hold_back else ""
    print(
        f"{network.name}, sparsity {sparsity_of(masks):.4f}, {len(folder)} images{held}, "
        f"steps {done} to {recipe.steps}, seed {seed} ({SPARSITY_MEANS})"
    )
    started = time.monotonic()
    with progress_over(recipe.steps, "steps", done=done) as advance:
        run.train(lambda loss: advance(loss=loss))
    seconds = time.monotonic() - started
    report_replaced(run.unreadable)
    if validation is not None:
        report_unreadable(validation.unreadable, 2 * hold_back)
        console.print(validation_table(validation.summary()))
    accuracies = None
    if labelled is not None:
        accuracies = _evaluate(trainer, labelled)
        console.print(accuracy_table(accuracies, used))
    report = {
        "settings": run.settings,
        "sparsity": sparsity_of(masks),
        "steps": recipe.steps - done,
        "seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "device": device,
        "validation": None if validation is None else validation.summary().to_dict("records"),
        "evaluation": None if accuracies is None else accuracies.to_dict("records"),
    }
    write_json(target / REPORT, report)
    print(f"{target}: {NETWORK}, {MASKS}, curve.png, {REPORT}; {seconds:.0f} s")
    return report


def _evaluate(trainer: Trainer, folder: ImageFolder) -> pd.DataFrame:
    """The dense network, and the sparse one without and with pruning, before and after."""
    networks = {"dense": FloatReference(network=trainer.network, model=trainer.teacher)}
    for moment, model in (("before", trainer.teacher), ("after", trainer.average.module)):
        for pruned in (False, True):
            name = f"sparse{' + pruned' if pruned else ''}, {moment}"
            networks[name] = trainer.reference(model, pruned=pruned)
    with progress_over(len(folder), "evaluation") as advance:
        return evaluate(networks, folder, 32, trainer.device, advance)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device {name!r} is not available here: expected cpu, or cuda with a GPU"
        ) from error
    return device


def _names_sha256(folder: ImageFolder) -> str:
    """Over the names alone: a training set may be large."""
    names = "\n".join(path.relative_to(folder.root).as_posix() for path, _ in folder.files)
    return hashlib.sha256(names.encode()).hexdigest()
