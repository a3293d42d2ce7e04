"""Schedule search: fewest cycles at no more loss, on calibration images."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from model.attention.mask_source import MaskSource
from model.attention.synthetic import maps_of
from model.commands.options import (
    Batch,
    Data,
    InsteadMasks,
    Maps,
    ModelName,
    PreprocessingName,
    Scores,
    Strategy,
    Weights,
    report_unreadable,
)
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.network.fit import check_fit
from model.network.names import get_network
from model.program.choices import preset_for
from model.pruning.hardware import kept_after_attention
from model.pruning.schedule import DEFAULT_SCHEDULE
from model.pruning.schedule_file import DEFAULT_NAME, schedule_of
from model.reference.forward import FloatReference
from model.weights.load import load_model, stated_name
from model.weights.storage import weights_sha256
from rtl_gen.cli import LARGEST_SEED
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.presets import get_config
from rtl_gen.progress import progress_over
from sim_models.figures.tables import terminal_table
from sim_models.figures.workload import Setting
from sim_models.schedule_search.layer_cycles import Machine
from sim_models.schedule_search.results import layers_table, schedules_table, write_result
from sim_models.schedule_search.run import run_search


def search_schedule(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    data: Data,
    limit: Annotated[int, typer.Option(min=1, help="Images of the search, evenly spread.")] = 64,
    held_back: Annotated[
        int, typer.Option(min=0, help="Other images of the folder, which only judge the result.")
    ] = 128,
    sparsity: Annotated[float, typer.Option(help="Of the masks; 0 is dense attention.")] = 0.0,
    strategy: Strategy = "vitcod",
    scores: Scores = None,
    maps: Maps = None,
    mask_file: InsteadMasks = None,
    near: Annotated[
        str, typer.Option(help="Schedule near which others are sought, a name or a file.")
    ] = DEFAULT_NAME,
    loss: Annotated[
        float | None,
        typer.Option(help="Most nats of KL divergence from the unpruned network."),
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="Preset; default: the first with heads as wide.")
    ] = None,
    batch_size: Batch = 16,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of synthetic attention maps.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder; default: build/schedules/<model>-<masks>.")
    ] = None,
) -> dict[str, Any]:
    """The pruning schedule of fewest cycles that loses no more than LOSS, by default than the
    default schedule does on the same images (JSON, CSV, PNG, SVG). No labels are used.
    """
    network = get_network(model)
    preset = config or preset_for(network)
    setting = Setting(config=get_config(preset), seed=seed)
    check_fit(setting.config, network)
    if loss is not None and not loss > 0:
        raise UserError(f"loss = {loss}: expected more than 0 nats")
    first = schedule_of(near, network)
    kept_after_attention(first, network)
    source = MaskSource(
        sparsity=sparsity, strategy=strategy, file=mask_file, scores=scores, maps=maps
    )
    masks = None if source.dense else source.masks(network)
    folder = ImageFolder(data, labelled=False)
    images = folder.spread(limit)
    others = _held_back(folder, images, held_back)
    machine = Machine(
        setting=setting, network=network, masks=masks, maps=maps_of(network, seed).maps
    )
    kind = "dense" if source.dense else source.label
    target = out or Path("build/schedules") / f"{network.name}-{kind}"
    check_writable(target / "schedules.csv")
    loaded = load_model(network, weights, stated_name(model, weights, preprocessing))
    unpruned = FloatReference(network=network, model=loaded, masks=masks)
    print(f"{network.name}, {kind}, preset {preset}, {len(images)} images, seed {seed}")

    default = DEFAULT_SCHEDULE.fitted(network)
    result = run_search(
        unpruned, machine, images, others, default, first, loss, batch_size, progress_over
    )
    provenance = {
        "masks": kind,
        "masks_sha256": None if masks is None else hashlib.sha256(masks.tobytes()).hexdigest(),
        "weights_sha256": weights_sha256(weights),
        "preprocessing": Preprocessing.of(loaded).as_json(),
        "images": len(images),
        "images_sha256": images.digest(),
        "preset": preset,
        "seed": seed,
        "start": near,
        "most_nats": loss,
        "nats": result.found.loss,
        "default_nats": result.default.loss,
        "cycles": result.found.cycles,
        "default_cycles": result.default.cycles,
        "held_back_nats": {name: nats.mean() for name, nats in result.held_back.items()},
    }
    files = write_result(result, target, kind, provenance)
    console = Console()
    for table in (layers_table(result), schedules_table(result)):
        console.print(terminal_table(table))
    report_unreadable(images.unreadable, len(images))
    if others is not None:
        report_unreadable(others.unreadable, len(others))
    print("\n".join(map(str, files)))
    return provenance | {"schedules": result.frame()}


def _held_back(folder: ImageFolder, images: ImageFolder, count: int) -> ImageFolder | None:
    """So many of the folder's other images, evenly spread; None for none.

    Raises:
        UserError: there are fewer.
    """
    if count == 0:
        return None
    taken = set(images.files)
    rest = [place for place, file in enumerate(folder.files) if file not in taken]
    if count > len(rest):
        raise UserError(
            f"{count} images to hold back: {folder.root} has {len(rest)} beside the "
            f"{len(images)} of the search, choose a smaller --limit or --held-back"
        )
    return folder.subset(rest).spread(count)
