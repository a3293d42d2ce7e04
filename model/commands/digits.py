"""Handwritten digits: their images, and the training of the network that reads them."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import safetensors.torch
import typer
from rich.table import Table

from model.attention_maps import AttentionMaps, average_attention
from model.commands.options import Seed, console, progress_over
from model.digits.data import SPLIT_SEED, Split, write_folder
from model.digits.train import Recipe, train
from model.digits.variants import top1
from model.files import replace_file
from model.networks import VIT_DIGITS

app = typer.Typer()

TRAINING = "training"
"""Key of the weights file's only metadata entry: the recipe as JSON."""

Folder = Annotated[Path, typer.Option(help="Folder of the files.")]


@app.command("digits")
def digits_command(*, out: Folder = Path("build/digits")) -> None:
    """Write the handwritten digits as image folders: train, calibration and held-back."""
    for split in Split:
        folder = write_folder(split, out / split)
        print(f"{folder.root}: {len(folder)} images, split with seed {SPLIT_SEED}")


@app.command()
def train_small(
    *,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = Recipe.epochs,
    seed: Seed = Recipe.seed,
    out: Folder = Path("build/digits"),
) -> None:
    """Train vit_digits: weights (.safetensors), attention maps (.npz) and its accuracy."""
    recipe = Recipe(seed=seed, epochs=epochs)
    print(f"vit_digits: seed {seed}, {epochs} epochs, split with seed {SPLIT_SEED}")
    folders = {split: write_folder(split, out / split) for split in Split}
    with (
        replace_file(out / f"{VIT_DIGITS.name}.safetensors") as weights,
        replace_file(out / f"{VIT_DIGITS.name}.npz") as averages,
    ):
        with progress_over(epochs, "epochs") as advance:
            model = train(folders[Split.TRAIN], recipe, lambda _: advance(1))
        maps = average_attention(VIT_DIGITS, model, folders[Split.TRAIN], recipe.batch_size)
        metadata = {
            "network": VIT_DIGITS.name,
            "synthetic": False,
            "command": "python -m model train-small",
            "images": len(folders[Split.TRAIN]),
            "images_sha256": folders[Split.TRAIN].digest(),
            "recipe": dataclasses.asdict(recipe),
        }
        AttentionMaps(maps, metadata).write(averages)
        held_back = top1(model, maps, folders[Split.HELD_BACK])
        record = {"recipe": dataclasses.asdict(recipe), "held_back_top1": held_back}
        weights.write(
            safetensors.torch.save(
                model.state_dict(), {TRAINING: json.dumps(record, sort_keys=True)}
            )
        )
    table = Table(title=f"{len(folders[Split.HELD_BACK])} held-back digits, float")
    table.add_column("")
    table.add_column("top-1", justify="right")
    for name, accuracy in held_back.items():
        table.add_row(name, f"{accuracy:.1%}")
    console.print(table)
    print(f"{out / VIT_DIGITS.name}.safetensors, .npz")
