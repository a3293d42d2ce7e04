"""Integer networks: calibration, accuracy and memory images."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from model.attention.mask_source import MaskSource
from model.commands.options import (
    Batch,
    Data,
    FileModelName,
    InsteadMasks,
    LabelFile,
    LabelledData,
    Limit,
    Masks,
    ModelName,
    NetworkFile,
    Out,
    PreprocessingName,
    Prune,
    ScheduleChoice,
    ScheduleName,
    Seed,
    Strategy,
    Weights,
    file_sha256,
    network_of_file,
    reference_of,
    report_unreadable,
)
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.evaluation.integer_accuracy import compare
from model.integer.network import FORMAT_VERSION, IntegerNetwork
from model.masks.strategies import MASK_STRATEGY
from model.network.fit import check_fit
from model.network.names import get_network
from model.program.choices import integer_network, preset_for
from model.program.compiler import compile_network
from model.pruning.hardware import kept_after_attention, prune_counts
from model.pruning.schedule_file import UNPRUNED, schedule_label, schedule_name, schedule_of
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference
from model.weights.load import stated_name
from model.weights.storage import weights_sha256
from rtl_gen.caches import cache_folder
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable, replace_file
from rtl_gen.presets import get_config
from rtl_gen.progress import progress_over

CALIBRATED = cache_folder("int8")
CALIBRATION_IMAGES = 250


def quantise_command(
    *,
    model: ModelName = "deit_tiny",
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    data: Data,
    images: Annotated[int, typer.Option(help="Images to use, evenly spread.")] = 500,
    mask_file: Masks = None,
    schedule: ScheduleName = UNPRUNED,
    batch_size: Batch = 16,
    out: Out,
) -> None:
    """Quantise a network to the accelerator's integers, with ranges from an image folder."""
    folder = ImageFolder(data, images, labelled=False)
    stated = stated_name(model, weights, preprocessing)
    reference = reference_of(get_network(model), weights, stated, mask_file, schedule)
    origin = {"masks_sha256": file_sha256(mask_file), "pruning": schedule}
    write_calibrated(out, reference, weights, folder, batch_size, **origin)


def write_calibrated(
    out: Path,
    reference: FloatReference,
    weights: Path | None,
    folder: ImageFolder,
    batch_size: int = 16,
    **origin: Any,
) -> None:
    """Calibrate with the images of `folder`; what the integers came from is in their metadata."""
    with replace_file(out) as file, progress_over(len(folder)) as advance:
        integer = quantise_network(reference, folder, batch_size, advance)
        metadata = {
            "images": len(folder) - len(folder.unreadable),
            "images_sha256": folder.digest(),
            "weights_sha256": weights_sha256(weights),
            "masks_sha256": None,
            "pruning": UNPRUNED,
            **origin,
        }
        file.write(dataclasses.replace(integer, metadata=metadata).to_bytes())
    report_unreadable(folder.unreadable, len(folder))
    print(
        f"{out}: {integer.shape.name} in integers, from {metadata['images']} images, "
        f"{integer.preprocessing}"
    )


def calibrated_file(
    model: str,
    weights: Path | None,
    calib: Path | None,
    network_file: Path | None,
    preprocessing: str | None = None,
) -> Path:
    """The integer network of float weights, calibrated unless an earlier run did it."""
    if weights is None or calib is None or network_file is not None:
        raise UserError(
            "float weights need --weights and --calib together, without --network: the images of "
            "--calib give the ranges of the integers"
        )
    folder = ImageFolder(calib, CALIBRATION_IMAGES, labelled=False)
    stated = stated_name(model, weights, preprocessing)
    reference = reference_of(get_network(model), weights, stated, None, UNPRUNED)
    came_from = (
        FORMAT_VERSION,
        weights_sha256(weights),
        folder.digest(),
        Preprocessing.of(reference.model),
    )
    key = hashlib.sha256(" ".join(map(str, came_from)).encode()).hexdigest()[:12]
    path = CALIBRATED / f"{reference.network.name}-{key}.safetensors"
    if not path.is_file():
        print(f"calibrating {weights} with {len(folder)} images of {calib}")
        write_calibrated(path, reference, weights, folder)
    return path


def integer_accuracy(
    file: Annotated[Path, typer.Argument(help="Integer network written by quantise.")],
    *,
    model: FileModelName = None,
    weights: Weights = None,
    preprocessing: PreprocessingName = None,
    data: LabelledData,
    labels: LabelFile = None,
    limit: Limit = None,
    mask_file: Masks = None,
    schedule: ScheduleName = UNPRUNED,
    batch_size: Batch = 8,
) -> None:
    """Top-1 accuracy in integers beside that of the float network, on the same images."""
    integer = IntegerNetwork.load(file)
    folder = ImageFolder(data, limit, labels=labels)
    network = network_of_file(integer, model)
    stated = stated_name(model or network.name, weights, preprocessing)
    reference = reference_of(network, weights, stated, mask_file, schedule)
    kept_after_attention(reference.schedule, reference.network)
    with progress_over(len(folder)) as advance:
        result = compare(integer, reference, folder, batch_size, advance)
    report_unreadable(folder.unreadable, len(folder))
    print(
        f"{Preprocessing.of(reference.model)}: "
        f"top-1 {result.integer_top1:.2%} in integers, {result.float_top1:.2%} in float, "
        f"{len(result.labels)} images: {result.lost} lost, {result.won} won; "
        f"same class {result.agreement:.2%}, logits {result.sqnr:.1f} dB"
    )


def image_command(
    *,
    model: ModelName = "deit_tiny",
    sparsity: Annotated[float, typer.Option(help="Fraction of attention to drop.")] = 0.8,
    mask_file: InsteadMasks = None,
    strategy: Strategy = MASK_STRATEGY,
    schedule: ScheduleChoice = None,
    prune: Prune = True,
    network_file: NetworkFile = None,
    config: Annotated[
        str | None, typer.Option(help="Preset; default: the first with heads as wide.")
    ] = None,
    dump: Annotated[bool, typer.Option(help="Also store every intermediate tensor.")] = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("build/image"),
) -> None:
    """The memory image of a whole network and its JSON map, for a host or a simulation."""
    network = get_network(model)
    choice = get_config(config or preset_for(network))
    check_fit(choice, network)
    name = schedule_name(schedule, prune=prune)
    source = MaskSource(sparsity=sparsity, strategy=strategy, file=mask_file, stand_in=seed)
    masks = torch.from_numpy(source.masks(network))
    path = out / f"{network.name}-{source.label}-{schedule_label(name)}.bin"
    check_writable(path)
    image = compile_network(
        choice,
        integer_network(network, network_file, seed),
        masks,
        prune_counts(network, schedule_of(name, network)),
        dump=dump,
    )
    with replace_file(path) as file:
        file.write(image.data.tobytes())
    image.write_map(path.with_suffix(".json"))
    print(f"{path}: {len(image.data):,} bytes, {len(image.commands)} commands, seed {seed}")
