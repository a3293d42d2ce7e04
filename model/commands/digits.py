"""Handwritten digits: their images, and the training of the network that reads them."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.table import Table

from model.commands.options import Seed, console
from model.data.digits import SPLIT_SEED, Split, write_folder
from model.data.preprocessing import Preprocessing
from model.digits.results import write_network
from model.digits.train import DigitsRecipe, train
from model.network.names import VIT_DIGITS
from rtl_gen.progress import progress_over

Folder = Annotated[Path, typer.Option(help="Folder of the files.")]


def digits_command(*, out: Folder = Path("build/digits")) -> None:
    """Write the handwritten digits as image folders: train, calibration and held-back."""
    for split in Split:
        folder = write_folder(split, out / split)
        print(f"{folder.root}: {len(folder)} images, split with seed {SPLIT_SEED}")


def train_small(
    *,
    epochs: Annotated[
        int, typer.Option(min=1, help="Passes over the images.")
    ] = DigitsRecipe.epochs,
    seed: Seed = DigitsRecipe.seed,
    out: Folder = Path("build/digits"),
) -> dict[str, float]:
    """Train vit_digits on one core: weights, attention maps, integers, accuracy."""
    torch.set_num_threads(1)  # Sums of several threads round differently.
    recipe = DigitsRecipe(seed=seed, epochs=epochs)
    print(f"{VIT_DIGITS.name}: seed {seed}, {epochs} epochs, split with seed {SPLIT_SEED}")
    folders = {split: write_folder(split, out / split) for split in Split}
    with progress_over(epochs, "epochs") as advance:
        model = train(folders[Split.TRAIN], recipe, lambda _: advance(1))
    accuracy = write_network(model, recipe, folders, out)
    table = Table(
        "",
        title=f"{len(folders[Split.HELD_BACK])} held-back digits, float",
        caption=f"Pictures: {Preprocessing.of(model)}",
    )
    table.add_column("top-1", justify="right")
    for name, value in accuracy.items():
        table.add_row(name, f"{value:.1%}")
    console.print(table)
    print(f"{out / VIT_DIGITS.name}.safetensors, .npz, -int8.safetensors")
    return accuracy
