"""`python -m model`: attention maps, masks, polarisation, schedules, float and integer networks."""

import dataclasses
import hashlib
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from model.attention_maps import AttentionMaps, average_attention, load_attention_maps
from model.calibrate import calibrate
from model.files import replace_file
from model.images import ImageFolder
from model.integer.accuracy import compare, kept_after_attention
from model.integer.choices import integer_network, kept_tokens, network_masks
from model.integer.compiler import compile_network
from model.integer.network import IntegerNetwork
from model.masks import STRATEGIES, make_masks, row_beats, sparsity_of
from model.networks import NETWORKS, Network, get_network, load_model
from model.polarisation import polarise
from model.reference import FloatReference
from model.schedule import NO_PRUNING, READINGS, PruningSchedule
from model.synthetic import maps_of, qkv_from_attention, synthetic_maps
from model.vitcod_io import read_masks, write_masks
from rtl_gen.cli import run
from rtl_gen.config import DEFAULT, get_config
from rtl_gen.errors import UserError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
synthetic = typer.Typer(no_args_is_help=True, help="Seeded stand-ins for what needs real weights.")
app.add_typer(synthetic, name="synthetic")

ModelName = Annotated[str, typer.Option("--model", help=f"One of {', '.join(NETWORKS)}.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="safetensors or torch state dict; default: timm's pretrained, by internet."),
]
Data = Annotated[Path, typer.Option(help="Image folder: class folders by wnid or class number.")]
Limit = Annotated[int | None, typer.Option(help="Use so many images, evenly spread.")]
Batch = Annotated[int, typer.Option("--batch-size", min=1, help="Images a step.")]
Out = Annotated[Path, typer.Option(help="File to write.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")]
Lanes = Annotated[int, typer.Option(min=1, help="Banks that the beats are counted for.")]
MaskFile = Annotated[Path, typer.Argument(help="ViTCoD mask file, .npy.")]
Masks = Annotated[Path | None, typer.Option("--masks", help="ViTCoD mask file; default: dense.")]
Reading = Annotated[str, typer.Option(help=f"Pruning: none or one of {', '.join(READINGS)}.")]

console = Console()
messages = Console(stderr=True)


@app.command()
def attention_maps(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    data: Data,
    out: Out,
    limit: Limit = None,
    batch_size: Batch = 16,
) -> None:
    """Average the post-softmax attention over an image folder (.npz)."""
    network = get_network(model)
    folder = ImageFolder(data, limit)
    with replace_file(out) as file:
        loaded = load_model(network, weights)
        with progress_over(len(folder)) as advance:
            maps = average_attention(network, loaded, folder, batch_size, advance)
        command = ["python", "-m", "model", "attention-maps", "--model", network.name]
        if weights is not None:
            command += ["--weights", weights.name]
        command += ["--data", data.resolve().name, "--out", out.name]
        if limit is not None:
            command += ["--limit", str(limit)]
        metadata = {
            "network": network.name,
            "synthetic": False,
            "command": shlex.join(command),
            "images": len(folder) - len(folder.unreadable),
            "images_sha256": folder.digest(),
            "weights_sha256": file_sha256(weights),
        }
        AttentionMaps(maps, metadata).write(file)
    _report_unreadable(folder)
    print(f"{out}: {maps.shape} averaged over {metadata['images']} images")


@app.command()
def masks(
    *,
    model: Annotated[str | None, typer.Option(help="A network whose maps are built in.")] = None,
    maps: Annotated[Path | None, typer.Option(help=".npz written by attention-maps.")] = None,
    sparsity: Annotated[float, typer.Option(help="Fraction to drop, 0.8 for 80 %.")],
    strategy: Annotated[str, typer.Option(help=f"One of {', '.join(STRATEGIES)}.")] = "vitcod",
    out: Out,
) -> None:
    """Make masks of a wanted sparsity and write them as a ViTCoD mask file (.npy)."""
    if (model is None) == (maps is None):
        raise UserError("name the attention maps with either --model or --maps")
    if out.suffix != ".npy":
        raise UserError(f"--out {out}: expected a name that ends in .npy")
    source = load_attention_maps(maps) if model is None else maps_of(get_network(model))
    kept = make_masks(source.maps, sparsity, strategy)
    write_masks(out, kept)
    label = "synthetic maps" if source.synthetic else "measured maps"
    print(
        f"{out}: {kept.shape} from {label} of {source.metadata['network']}, {strategy}, "
        f"sparsity {sparsity_of(kept):.6f}"
    )


@app.command()
def inspect_mask(
    file: MaskFile,
    model: Annotated[str | None, typer.Option(help="Check the shape for a network.")] = None,
    lanes: Lanes = DEFAULT.lanes,
) -> None:
    """Sparsity, beats and polarisation of every layer of a ViTCoD mask file."""
    kept = read_masks(file, None if model is None else get_network(model))
    polarised = polarise(kept)
    table = Table(
        title=f"{file.name}: {kept.shape}, sparsity {sparsity_of(kept):.4f}",
        caption=f"Beats, busy lanes of {lanes}; polarised: globals a head, density of both parts",
    )
    for column in (
        "layer",
        "sparsity",
        "kept/row",
        "beats/row",
        "busy",
        "globals",
        "dense",
        "sparse",
    ):
        table.add_column(column, justify="right")
    for layer, mask in enumerate(kept):
        beats = row_beats(mask, lanes)
        dense = np.average(polarised.dense_density[layer], weights=polarised.globals[layer])
        sparse = _weighted(
            polarised.sparse_density[layer], mask.shape[-1] - polarised.globals[layer]
        )
        table.add_row(
            str(layer),
            f"{sparsity_of(mask):.3f}",
            f"{mask.sum(axis=-1).mean():.1f}",
            f"{beats.mean():.2f}",
            f"{mask.sum() / (beats.sum() * lanes):.1%}",
            f"{polarised.globals[layer].mean():.1f}",
            f"{dense:.1%}",
            f"{sparse:.1%}",
        )
    console.print(table)


@app.command("polarise")
def polarise_command(file: MaskFile, out: Out) -> None:
    """Write the polarised column order of every head (.npz: order, globals)."""
    polarised = polarise(read_masks(file))
    with replace_file(out) as target:
        np.savez_compressed(target, order=polarised.order, globals=polarised.globals)
    print(f"{out}: order {polarised.order.shape}, {polarised.globals.mean():.1f} globals a head")


@app.command()
def schedule(
    model: ModelName = "deit_tiny",
    reading: Annotated[str, typer.Option(help=f"One of {', '.join(READINGS)}.")] = next(
        iter(READINGS)
    ),
) -> None:
    """Tokens (CLS included) that each part of each layer works on."""
    network = get_network(model)
    table = Table(title=f"{network.name}, {reading}")
    for column in ("layer", "QKV and attention", "projection and FFN", "leaving"):
        table.add_column(column, justify="right")
    for layer, tokens in enumerate(_reading(reading).layer_tokens(network)):
        table.add_row(str(layer), *(str(count) for count in tokens))
    console.print(table)


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
    reference = _reference(get_network(model), weights, mask_file, reading)
    top1 = reference.accuracy(folder, batch_size)
    _report_unreadable(folder)
    print(f"top-1 {top1:.2%} of {len(folder) - len(folder.unreadable)} images")


@app.command("calibrate")
def calibrate_command(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    data: Data,
    images: Annotated[int, typer.Option(help="Images to use, evenly spread.")] = 500,
    mask_file: Masks = None,
    reading: Reading = "none",
    batch_size: Batch = 16,
    out: Out,
) -> None:
    """Quantise a network to the accelerator's integers, with ranges from an image folder."""
    folder = ImageFolder(data, images)
    reference = _reference(get_network(model), weights, mask_file, reading)
    with replace_file(out) as file, progress_over(len(folder)) as advance:
        integer = calibrate(reference, folder, batch_size, advance)
        metadata = {
            "images": len(folder) - len(folder.unreadable),
            "images_sha256": folder.digest(),
            "weights_sha256": file_sha256(weights),
            "masks_sha256": file_sha256(mask_file),
            "pruning": reading,
        }
        file.write(dataclasses.replace(integer, metadata=metadata).to_bytes())
    _report_unreadable(folder)
    print(f"{out}: {integer.shape.name} in integers, from {metadata['images']} images")


@app.command()
def integer_accuracy(
    file: Annotated[Path, typer.Argument(help="Integer network written by calibrate.")],
    *,
    weights: Weights = None,
    data: Data,
    limit: Limit = None,
    mask_file: Masks = None,
    reading: Reading = "none",
    batch_size: Batch = 8,
) -> None:
    """Top-1 accuracy in integers beside that of the float network, on the same images."""
    integer = IntegerNetwork.load(file)
    folder = ImageFolder(data, limit)
    reference = _reference(get_network(integer.shape.name), weights, mask_file, reading)
    kept_after_attention(reference.schedule, reference.network)
    with progress_over(len(folder)) as advance:
        result = compare(integer, reference, folder, batch_size, advance)
    _report_unreadable(folder)
    print(
        f"top-1 {result.integer_top1:.2%} in integers, {result.float_top1:.2%} in float, "
        f"{len(result.labels)} images: {result.lost} lost, {result.won} won; "
        f"same class {result.agreement:.2%}, logits {result.sqnr:.1f} dB"
    )


@app.command("image")
def image_command(
    *,
    model: ModelName = "deit_tiny",
    sparsity: Annotated[float, typer.Option(help="Fraction of attention to drop.")] = 0.8,
    mask_file: Masks = None,
    prune: Annotated[bool, typer.Option(help="Prune tokens by the default schedule.")] = True,
    network_file: Annotated[
        Path | None, typer.Option("--network", help="Calibrated network; default: random.")
    ] = None,
    config: Annotated[str, typer.Option(help="Preset of the hardware.")] = "default",
    dump: Annotated[bool, typer.Option(help="Also store every intermediate tensor.")] = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("build/image"),
) -> None:
    """The memory image of a whole network and its JSON map, for a host or a simulation."""
    network = get_network(model)
    image = compile_network(
        get_config(config),
        integer_network(network, network_file, seed),
        network_masks(network, sparsity, mask_file, "vitcod", seed),
        kept_tokens(network, prune=prune),
        dump=dump,
    )
    kind = f"{sparsity:g}" if mask_file is None else mask_file.stem
    path = out / f"{model}-{kind}-{int(prune)}.bin"
    with replace_file(path) as file:
        file.write(image.data.tobytes())
    image.write_map(path.with_suffix(".json"))
    print(f"{path}: {len(image.data):,} bytes, {len(image.commands)} commands, seed {seed}")


@synthetic.command("maps")
def synthetic_maps_command(*, model: ModelName, seed: Seed = 0, out: Out) -> None:
    """Attention maps of a network, resampled from the measured ones of DeiT-Tiny (.npz)."""
    maps = synthetic_maps(get_network(model), seed)
    with replace_file(out) as file:
        maps.write(file)
    print(f"{out}: {maps.maps.shape}, synthetic")


@synthetic.command("qkv")
def synthetic_qkv_command(
    *,
    model: ModelName,
    layer: Annotated[int, typer.Option(min=0, help="Layer of the wanted attention.")],
    head: Annotated[int, typer.Option(min=0, help="Head of the wanted attention.")],
    seed: Seed = 0,
    out: Out,
) -> None:
    """Q, K and V of one head with about the attention of its averaged map (.npz: q, k, v)."""
    network: Network = get_network(model)
    if layer >= network.layers or head >= network.heads:
        raise UserError(
            f"layer {layer}, head {head}: {network.name} has layers 0 to {network.layers - 1} "
            f"and heads 0 to {network.heads - 1}"
        )
    q, k, v = qkv_from_attention(maps_of(network).maps[layer, head], network.head_dim, seed)
    with replace_file(out) as file:
        np.savez_compressed(file, q=q, k=k, v=v)
    print(f"{out}: q, k, v {q.shape}, synthetic")


def _reference(
    network: Network, weights: Path | None, mask_file: Path | None, reading: str
) -> FloatReference:
    pruning = NO_PRUNING if reading == "none" else _reading(reading)
    kept = None if mask_file is None else read_masks(mask_file, network)
    model = load_model(network, weights)
    return FloatReference(network=network, model=model, masks=kept, schedule=pruning)


@contextmanager
def progress_over(images: int) -> Iterator[Callable[[int], object]]:
    """A progress bar on standard error, and what advances it by a number of images."""
    with Progress(
        *Progress.get_default_columns()[:-1],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=messages,
    ) as progress:
        task = progress.add_task("images", total=images)
        yield lambda done: progress.advance(task, done)


def file_sha256(path: Path | None) -> str | None:
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def _reading(name: str) -> PruningSchedule:
    if name not in READINGS:
        raise UserError(f"unknown reading {name!r}: expected one of {', '.join(READINGS)}")
    return READINGS[name]


def _weighted(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values, weights=weights)) if weights.any() else 0.0


def _report_unreadable(folder: ImageFolder) -> None:
    if folder.unreadable:
        names = ", ".join(str(path) for path in folder.unreadable)
        count = f"{len(folder.unreadable)} of {len(folder)}"
        print(f"warning: {count} images are unreadable and left out: {names}", file=sys.stderr)


if __name__ == "__main__":
    run(app)
