"""Attention maps, masks of them, polarisation and pruning schedules."""

import shlex
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from model.attention.entry_scores import scores_for
from model.attention.maps import AttentionMaps, average_attention, load_attention_maps
from model.attention.synthetic import maps_of
from model.commands.options import (
    Batch,
    Data,
    Lanes,
    Limit,
    Maps,
    MaskFile,
    ModelName,
    Out,
    PreprocessingName,
    ScheduleName,
    Scores,
    Strategy,
    Weights,
    console,
    report_unreadable,
)
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.masks.polarisation import polarise
from model.masks.strategies import SPARSITY_MEANS, make_masks, row_beats, sparsity_of
from model.masks.vitcod_file import read_masks, write_masks
from model.network.names import get_network
from model.network.shape import Network
from model.pruning.schedule_file import DEFAULT_NAME, schedule_of
from model.weights.load import load_model, stated_name
from model.weights.storage import weights_sha256
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file
from rtl_gen.presets import DEFAULT
from rtl_gen.progress import progress_over

MaskModel = Annotated[
    str | None,
    typer.Option(
        "--model", help="Network of the file, to check the shape; default: any with a class token."
    ),
]


def attention_maps(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    data: Data,
    out: Out,
    limit: Limit = None,
    batch_size: Batch = 16,
) -> None:
    """Average the post-softmax attention over an image folder (.npz)."""
    network = get_network(model)
    folder = ImageFolder(data, limit, labelled=False)
    stated = stated_name(model, weights, preprocessing)
    with replace_file(out) as file:
        loaded = load_model(network, weights, stated)
        with progress_over(len(folder)) as advance:
            maps = average_attention(network, loaded, folder, batch_size, advance)
        command = ["sparse-vit", "attention-maps", "--model", model]
        if weights is not None:
            command += ["--weights", weights.name]
        if preprocessing is not None:
            command += ["--preprocessing", preprocessing]
        command += ["--data", data.resolve().name, "--out", out.name]
        if limit is not None:
            command += ["--limit", str(limit)]
        metadata = {
            "network": network.name,
            "prefix_tokens": network.prefix_tokens,
            "synthetic": False,
            "command": shlex.join(command),
            "images": len(folder) - len(folder.unreadable),
            "images_sha256": folder.digest(),
            "weights_sha256": weights_sha256(weights),
            "preprocessing": Preprocessing.of(loaded).as_json(),
        }
        AttentionMaps(maps, metadata).write(file)
    report_unreadable(folder.unreadable, len(folder))
    print(f"{out}: {maps.shape} averaged over {metadata['images']} images")


def masks(
    *,
    model: Annotated[
        str | None,
        typer.Option(help="A network; without built-in maps, others are resampled for it."),
    ] = None,
    maps: Maps = None,
    sparsity: Annotated[float, typer.Option(help="Fraction to drop, 0.8 for 80 %.")],
    strategy: Strategy = "vitcod",
    scores: Scores = None,
    out: Out,
) -> None:
    """Make masks of a wanted sparsity and write them as a ViTCoD mask file (.npy)."""
    if (model is None) == (maps is None):
        raise UserError("name the attention maps with either --model or --maps")
    if out.suffix != ".npy":
        raise UserError(f"--out {out}: expected a name that ends in .npy")
    source = load_attention_maps(maps or "") if model is None else maps_of(get_network(model))
    learned = scores_for(strategy, source.metadata["network"], scores)
    kept = make_masks(source.maps, sparsity, strategy, learned, prefix=source.prefix_tokens)
    write_masks(out, kept)
    print(
        f"{out}: {kept.shape} from {source.label} maps of {source.metadata['network']}, "
        f"{strategy}, sparsity {sparsity_of(kept):.6f} ({SPARSITY_MEANS})"
    )


_MASK_COLUMNS = {
    "layer": "{}",
    "sparsity": "{:.3f}",
    "kept/row": "{:.1f}",
    "beats/row": "{:.2f}",
    "busy": "{:.1%}",
    "globals": "{:.1f}",
    "dense": "{:.1%}",
    "sparse": "{:.1%}",
}
"""How each column of `inspect_mask` is shown."""


def inspect_mask(
    file: MaskFile,
    model: MaskModel = None,
    lanes: Lanes = DEFAULT.lanes,
) -> list[dict[str, float]]:
    """Sparsity, beats and polarisation of every layer of a ViTCoD mask file."""
    kept, prefix = _masks_of(file, model)
    polarised = polarise(kept, prefix)
    table = Table(
        title=f"{file.name}: {kept.shape}, sparsity {sparsity_of(kept):.4f}",
        caption=f"Beats, busy lanes of {lanes}; polarised: globals a head, density of both parts. "
        f"{SPARSITY_MEANS}.",
    )
    for column in _MASK_COLUMNS:
        table.add_column(column, justify="right")
    rows = []
    for layer, mask in enumerate(kept):
        beats = row_beats(mask, lanes)
        dense = np.average(polarised.dense_density[layer], weights=polarised.globals[layer])
        sparse = _weighted(
            polarised.sparse_density[layer], mask.shape[-1] - polarised.globals[layer]
        )
        row = {
            "layer": layer,
            "sparsity": sparsity_of(mask),
            "kept/row": mask.sum(axis=-1).mean(),
            "beats/row": beats.mean(),
            "busy": mask.sum() / (beats.sum() * lanes),
            "globals": polarised.globals[layer].mean(),
            "dense": dense,
            "sparse": sparse,
        }
        table.add_row(*(form.format(row[name]) for name, form in _MASK_COLUMNS.items()))
        rows.append(row)
    console.print(table)
    return rows


def polarise_command(file: MaskFile, out: Out, model: MaskModel = None) -> None:
    """Write the polarised column order of every head (.npz: order, globals)."""
    polarised = polarise(*_masks_of(file, model))
    with replace_file(out) as target:
        np.savez_compressed(target, order=polarised.order, globals=polarised.globals)
    print(f"{out}: order {polarised.order.shape}, {polarised.globals.mean():.1f} globals a head")


def schedule(
    model: ModelName = "deit_tiny",
    name: ScheduleName = DEFAULT_NAME,
) -> list[dict[str, int]]:
    """Tokens (the prefix included) that each part of each layer works on."""
    network = get_network(model)
    table = Table(title=f"{network.name}, {name}")
    for column in ("layer", "QKV and attention", "projection and FFN", "leaving"):
        table.add_column(column, justify="right")
    layers = schedule_of(name, network).layer_tokens(network)
    for layer, tokens in enumerate(layers):
        table.add_row(str(layer), *(str(count) for count in tokens))
    console.print(table)
    return [tokens._asdict() for tokens in layers]


def _masks_of(file: Path, model: str | None) -> tuple[np.ndarray, int]:
    """The masks of a file and how many prefix tokens they have."""
    network = None if model is None else get_network(model)
    prefix = Network.prefix_tokens if network is None else network.prefix_tokens
    return read_masks(file, network), prefix


def _weighted(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values, weights=weights)) if weights.any() else 0.0
