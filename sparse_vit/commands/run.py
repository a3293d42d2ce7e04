"""Pictures through a whole network in RTL, compared with the golden model.

The network is a calibrated one (`--network`, from `sparse-vit quantise`; vit_digits comes
with its own) or else a seeded random one of the same shape, whose cycles are as real. The program
is compiled once and runs on Verilator behind a simulated AXI4 memory for one batch of pictures
after the other, one a core. Every tensor that it stores is compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import torch
import typer
from PIL.Image import Image as Picture
from rich.console import Console
from torch import Tensor

from cocotb_tests.harness.simulators import make_runner
from model.attention.mask_source import MaskSource
from model.commands.integers import calibrated_file
from model.commands.options import (
    InsteadMasks,
    ModelName,
    NetworkFile,
    PreprocessingName,
    Prune,
    ScheduleChoice,
    Strategy,
)
from model.data.digits import held_back_digit
from model.data.image_folder import ImageFolder
from model.data.pictures import open_picture
from model.integer.network import IntegerNetwork
from model.integer.random_network import random_patches
from model.masks.strategies import MASK_STRATEGY
from model.network.fit import check_fit
from model.network.names import get_network
from model.network.shape import Network
from model.program.choices import (
    DIGIT,
    chosen_picture,
    digit_number,
    integer_network,
    picture_patches,
    preset_for,
    shipped_integers,
)
from model.pruning.hardware import prune_counts
from model.pruning.schedule_file import schedule_label, schedule_name, schedule_of
from rtl_gen import cli
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.json_file import write_json
from rtl_gen.presets import get_config
from rtl_gen.progress import progress_over
from sim_models.memory import MemoryTiming
from sparse_vit.co_simulation import CoSimulation
from sparse_vit.run_results import compared_pictures, measured_batch, result_tables

console = Console()


def run(
    *,
    model: ModelName = "deit_tiny",
    sparsity: Annotated[
        float, typer.Option(help="Fraction of attention entries to drop; 0 for dense.")
    ] = 0.8,
    mask_file: InsteadMasks = None,
    strategy: Strategy = MASK_STRATEGY,
    schedule: ScheduleChoice = None,
    prune: Prune = True,
    network_file: NetworkFile = None,
    weights: Annotated[
        Path | None, typer.Option(help="Float weights, to be calibrated with --calib.")
    ] = None,
    preprocessing: PreprocessingName = None,
    calib: Annotated[
        Path | None,
        typer.Option(help="Folder of images, of any layout, that gives the ranges of --weights."),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            "--image",
            help="Picture, turned as its EXIF orientation says, or digits:17 for a held-back "
            "digit; default: random pixels or digits:0.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of pictures, all of which run; instead of --image.")
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="Preset; default: the first with heads as wide.")
    ] = None,
    cores: Annotated[int, typer.Option(help="Pictures at a time, a core each: 1, 2, 4 or 8.")] = 1,
    simulator: Annotated[str, typer.Option(help="verilator or icarus.")] = "verilator",
    latency: Annotated[int, typer.Option(min=2, help="Of the memory, in cycles.")] = 100,
    rate: Annotated[int, typer.Option(min=1, help="Bytes a cycle of the memory.")] = 64,
    dump: Annotated[
        bool, typer.Option(help="Store and compare every intermediate tensor.")
    ] = False,
    first_divergence: Annotated[
        bool,
        typer.Option(
            "--first-divergence",
            help="Name the first tensor, token, channel and unit that differs; as --dump.",
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=cli.LARGEST_SEED, help="Of whatever is random.")
    ] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/deit"),
) -> dict[str, Any]:
    """Pictures through a whole network in RTL, compared with the golden model."""
    network = get_network(model)
    pruning = schedule_name(schedule, prune=prune)
    keep = prune_counts(network, schedule_of(pruning, network))
    config = config or preset_for(network)
    choice = get_config(config, cores=cores)
    check_fit(choice, network)
    make_runner(simulator)
    source = MaskSource(sparsity=sparsity, strategy=strategy, file=mask_file, stand_in=seed)
    masks = torch.from_numpy(source.masks(network))
    on_cores = f"-{cores}-cores" if cores > 1 else ""
    path = out / f"{network.name}-{source.label}-{schedule_label(pruning)}{on_cores}.json"
    check_writable(path)
    given = _Pictures.of(network, picture, pictures, cores)
    if weights is not None or calib is not None:
        network_file = calibrated_file(model, weights, calib, network_file, preprocessing)
    network_file = network_file or shipped_integers(network)
    integers = integer_network(network, network_file, seed)
    patches = given.patches(integers, seed)
    timing = MemoryTiming(latency=latency, rate=min(rate, choice.bus_bytes))
    simulation = CoSimulation.of(
        choice, integers, patches, masks, keep, timing, dump=dump or first_divergence
    )
    megabytes = len(simulation.image.data) / 1e6
    minutes = "a minute or two" if cores == 1 else f"a minute or two for each of {cores} cores"
    console.print(
        f"{network.name}: image of {megabytes:.1f} MB, seed {seed}; building the "
        f"simulation takes {minutes} the first time"
    )
    with progress_over(simulation.cycles, "cycles") as advance:
        runs = simulation.run(simulator, seed + 1, advance)
    compared = compared_pictures(simulation, given.names, runs)
    result = {
        "model": network.name,
        "network": "random" if network_file is None else str(network_file),
        "sparsity": sparsity if mask_file is None else None,
        "strategy": strategy if mask_file is None else None,
        "masks": None if mask_file is None else str(mask_file),
        "prune": any(count is not None for count in keep),
        "schedule": pruning,
        "config": config,
        "latency": latency,
        "rate": timing.rate,
        "seed": seed,
        "label": given.label,
        "cores": cores,
        **measured_batch(simulation, network, masks, runs[0]),
        "compared": sum(one["compared"] for one in compared),
        "mismatches": sum(one["mismatches"] for one in compared),
        "wall_seconds": round(sum(one.wall_seconds for one in runs), 1),
        "pictures": compared,
    }
    write_json(path, result)
    for table in result_tables(result, network, trained=network_file is not None):
        console.print(table)
    console.print(str(path))
    if result["mismatches"]:
        differing = f"{result['mismatches']} values differ from the golden model"
        if not first_divergence:
            raise UserError(f"{differing}: --first-divergence names the first and its unit")
        found = simulation.first_divergence(runs)
        assert found is not None
        batch, place = found
        raise UserError(f"{differing}, first in batch {batch}: {place}")
    return result


@dataclass(frozen=True, kw_only=True)
class _Pictures:
    """The pictures of a run by name; None stands for random patches."""

    names: Sequence[str]
    opened: Sequence[Picture] | None = None
    label: int | None = None
    """The class of a held-back digit."""

    @classmethod
    def of(cls, network: Network, picture: str | None, folder: Path | None, cores: int) -> Self:
        if folder is not None:
            if picture is not None:
                raise UserError("--image and --pictures: expected one of them")
            paths = [path for path, _ in ImageFolder(folder, labelled=False).files]
            opened = [open_picture(path, upright=True) for path in paths]
            return cls(names=[str(path.relative_to(folder)) for path in paths], opened=opened)
        chosen, number = chosen_picture(network, picture), digit_number(network, picture)
        if chosen is None:
            return cls(names=[f"random {core}" for core in range(cores)])
        label = None if number is None else held_back_digit(number)[1]
        return cls(names=[picture or f"{DIGIT}{number}"], opened=[chosen], label=label)

    def patches(self, integers: IntegerNetwork, seed: int) -> Tensor:
        """(pictures, patches, K)"""
        if self.opened is None:
            return random_patches(integers.shape, len(self.names), seed)
        return torch.cat([picture_patches(integers, opened) for opened in self.opened])
