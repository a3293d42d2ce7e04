"""What the commands share: options, warnings and the network that they run."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from model.data.picture_files import examples
from model.integer.network import IntegerNetwork
from model.masks.strategies import STRATEGY_NAMES
from model.masks.vitcod_file import read_masks
from model.network.names import NAMES_MEAN, get_network
from model.network.shape import Network
from model.pruning.schedule_file import NAMED, schedule_of
from model.reference.forward import FloatReference
from model.weights.load import load_model
from rtl_gen.cli import LARGEST_SEED
from rtl_gen.errors import InputWarning, UserError

_MODEL_HELP = f"{NAMES_MEAN[0].upper()}{NAMES_MEAN[1:]}."
ModelName = Annotated[str, typer.Option("--model", help=_MODEL_HELP)]
FileModelName = Annotated[
    str | None,
    typer.Option("--model", help=f"{_MODEL_HELP} Default: what the file is named after."),
]
"""Of a file of integers, which knows a network's shape but not how timm makes it."""
Weights = Annotated[
    Path | None,
    typer.Option(help="safetensors or torch state dict; default: timm's pretrained, by internet."),
]
PreprocessingName = Annotated[
    str | None,
    typer.Option(
        "--preprocessing",
        help="How pictures are normalised and cropped for the file of --weights: a timm name, such "
        "as vit_tiny_patch16_224, with or without changes (+crop_pct=1.0), or mean=0.5+std=0.5 and "
        "others; default: what --model, in timm's words, or the file says.",
    ),
]
Data = Annotated[Path, typer.Option(help="Folder of images, in folders of any name or none.")]
TrainingFolders = Annotated[
    list[Path],
    typer.Option(
        "--data",
        help="Folder of images, in folders of any name or none. Repeat for several; images of one "
        "that is named twice are drawn twice as often.",
    ),
]
_LABELLED = (
    "Image folder, of class folders by wnid or class number or with --labels; as in timm, EXIF "
    "turns nothing."
)
LabelledData = Annotated[Path, typer.Option("--data", help=_LABELLED)]
LabelledFolders = Annotated[
    list[Path],
    typer.Option(
        "--data",
        help=f"{_LABELLED} Repeat for several: each is judged alone, then all together.",
    ),
]
LabelFile = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="Classes of the images, by lines of name and class or ILSVRC's ground truth; default: "
        "by their folders.",
    ),
]
Limit = Annotated[int | None, typer.Option(help="Use so many images, evenly spread.")]
Batch = Annotated[int, typer.Option("--batch-size", min=1, help="Images a step.")]
Out = Annotated[Path, typer.Option(help="File to write.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the random numbers.")]
Lanes = Annotated[int, typer.Option(min=1, max=1024, help="Banks that the beats are counted for.")]
MaskFile = Annotated[Path, typer.Argument(help="ViTCoD mask file, .npy.")]
Masks = Annotated[Path | None, typer.Option("--masks", help="ViTCoD mask file; default: dense.")]
InsteadMasks = Annotated[
    Path | None, typer.Option("--masks", help="ViTCoD mask file in place of the strategy's.")
]
Maps = Annotated[
    str | None, typer.Option(help="Attention maps: .npz or a network whose maps are built in.")
]
_SCHEDULE = typer.Option(
    "--schedule", help=f"Pruning: {', '.join(NAMED)} or a file of search-schedule."
)
ScheduleName = Annotated[str, _SCHEDULE]
ScheduleChoice = Annotated[str | None, _SCHEDULE]
"""Without it, `Prune` decides."""
Prune = Annotated[bool, typer.Option(help="Prune tokens, by the default schedule.")]
NetworkFile = Annotated[
    Path | None,
    typer.Option("--network", help="Calibrated network; default: the project's own or random."),
]
Strategy = Annotated[
    str,
    typer.Option(
        help=f"Which entries masks keep: {', '.join(STRATEGY_NAMES)}; with rows balanced over the "
        "banks of 8 lanes: vitcod+lanes=8."
    ),
]
Scores = Annotated[
    Path | None, typer.Option(help="Of the strategy `learned`: .npz; default: the built-in ones.")
]

console = Console()
messages = Console(stderr=True)


def reference_of(
    network: Network,
    weights: Path | None,
    stated: str | None,
    mask_file: Path | None,
    schedule: str,
) -> FloatReference:
    """The float network of weights, with timm's name of them if it was stated."""
    pruning = schedule_of(schedule, network)
    kept = None if mask_file is None else read_masks(mask_file, network)
    model = load_model(network, weights, stated)
    return FloatReference(network=network, model=model, masks=kept, schedule=pruning)


def network_of_file(integer: IntegerNetwork, model: str | None) -> Network:
    """The network of a file of integers, with what timm needs to make it.

    Raises:
        UserError: another network than the file's.
    """
    network = get_network(model or integer.shape.name)
    if network != integer.shape:
        raise UserError(
            f"the file holds a {integer.shape.name}: expected a {network.name}, or the name of its "
            "network with --model"
        )
    return network


def file_sha256(path: Path | None) -> str | None:
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def report_unreadable(unreadable: Sequence[object], images: int) -> None:
    """Warn of those among so many images that no figure counts."""
    if unreadable:
        found = f"{len(unreadable)} of {images} images are unreadable and left out"
        warnings.warn(f"{found}: {examples(unreadable)}", InputWarning, stacklevel=2)


def report_replaced(times: int) -> None:
    """Warn of pictures in whose place training took the next one, so many times."""
    if times:
        message = f"{times} times a picture was unreadable and the next one took its place"
        warnings.warn(message, InputWarning, stacklevel=2)
