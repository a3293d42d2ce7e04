"""One image through a whole network in RTL, compared with the golden model.

The network is a calibrated one (`--network`, from `sparse-vit quantise`; vit_digits comes
with its own) or else a seeded random one of the same shape, whose cycles are as real. The program
is compiled, runs on Verilator behind a simulated AXI4 memory, and every tensor that it stores is
compared.
"""

import itertools
import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from timm.data import ImageNetInfo
from torch import Tensor

from cocotb_tests.harness.simulators import make_runner
from cocotb_tests.network.run import RtlRun
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
from model.masks.strategies import MASK_STRATEGY
from model.network.fit import check_fit
from model.network.names import get_network
from model.network.shape import Network
from model.program.choices import (
    chosen_picture,
    digit_number,
    input_patches,
    integer_network,
    preset_for,
    shipped_integers,
)
from model.pruning.hardware import prune_counts
from model.pruning.placement import LayerTokens
from model.pruning.schedule_file import schedule_label, schedule_name, schedule_of
from rtl_gen import cli
from rtl_gen.config import AcceleratorConfig, get_config
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable, replace_file
from sim_models.macs import kept_entries, network_macs
from sim_models.memory import MemoryTiming
from sim_models.on_chip import on_chip_bytes
from sparse_vit.co_simulation import CoSimulation

console = Console()

IMAGENET_CLASSES = 1000
"""Of whose names timm knows all."""


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
    config: Annotated[
        str | None, typer.Option(help="Preset; default: the first with heads as wide.")
    ] = None,
    simulator: Annotated[str, typer.Option(help="verilator or icarus.")] = "verilator",
    latency: Annotated[int, typer.Option(min=2, help="Of the memory, in cycles.")] = 100,
    rate: Annotated[int, typer.Option(min=1, help="Bytes a cycle of the memory.")] = 64,
    dump: Annotated[
        bool, typer.Option(help="Store and compare every intermediate tensor.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=cli.LARGEST_SEED, help="Of whatever is random.")
    ] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/deit"),
) -> dict[str, Any]:
    """One image through a whole network in RTL, compared with the golden model."""
    network = get_network(model)
    pruning = schedule_name(schedule, prune=prune)
    keep = prune_counts(network, schedule_of(pruning, network))
    config = config or preset_for(network)
    choice = get_config(config)
    check_fit(choice, network)
    make_runner(simulator)
    source = MaskSource(sparsity=sparsity, strategy=strategy, file=mask_file, stand_in=seed)
    masks = torch.from_numpy(source.masks(network))
    path = out / f"{network.name}-{source.label}-{schedule_label(pruning)}.json"
    check_writable(path)
    opened = chosen_picture(network, picture)
    number = digit_number(network, picture)
    if weights is not None or calib is not None:
        network_file = calibrated_file(model, weights, calib, network_file, preprocessing)
    network_file = network_file or shipped_integers(network)
    integers = integer_network(network, network_file, seed)
    patches = input_patches(integers, opened, seed)
    timing = MemoryTiming(latency=latency, rate=min(rate, choice.bus_bytes))
    simulation = CoSimulation.of(choice, integers, patches, masks, keep, timing, dump=dump)
    megabytes = len(simulation.image.data) / 1e6
    console.print(
        f"{network.name}: image of {megabytes:.1f} MB, seed {seed}; building the "
        "simulation takes a minute or two the first time"
    )
    done = simulation.run(simulator, seed + 1)
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
        "label": None if number is None else held_back_digit(number)[1],
        **_measured(simulation, network, masks, done),
        "cycles_model": simulation.predicted["cycles"],
        "counters_model": simulation.predicted,
    }
    with replace_file(path) as file:
        file.write((json.dumps(result, indent=2) + "\n").encode())
    _show(result, network, trained=network_file is not None)
    console.print(str(path))
    if result["mismatches"]:
        raise UserError(f"{result['mismatches']} values differ from the golden model")
    return result


def mac_bound_cycles(
    config: AcceleratorConfig, network: Network, masks: Tensor, live: list[Tensor]
) -> float:
    """Multiply-accumulates of the network over the multipliers.

    `live` holds each layer's tokens and, last, those that leave the last layer.
    """
    counts = [int(tokens.sum()) for tokens in live]
    pairs = itertools.pairwise(counts)
    layer_tokens = [LayerTokens(before, after, after) for before, after in pairs]
    entries = kept_entries(network, masks.numpy(), torch.stack(live[:-1]).numpy())
    return sum(network_macs(network, layer_tokens, entries).values()) / config.macs


def _measured(
    simulation: CoSimulation, network: Network, masks: Tensor, run: RtlRun
) -> dict[str, Any]:
    """What the run took, and how it compares with the golden model and the multipliers' bound."""
    config, golden = simulation.config, simulation.golden
    comparison = simulation.compare(run)
    live = [golden[f"layers.{i}.live"][0] for i in range(network.layers)]
    survivors = [golden[f"layers.{i}.survivors"][0] for i in range(network.layers)]
    bound = mac_bound_cycles(config, network, masks, [*live, survivors[-1]])
    cycles = run.counters["cycles"]
    return {
        "compared": comparison.compared,
        "mismatches": comparison.mismatches,
        "cycles": cycles,
        "mac_bound_cycles": round(bound),
        "ratio": round(cycles / bound, 4),
        "stall_cycles": run.counters["weight_stalls"],
        "axi_read_bytes": run.counters["rows_read"] * config.width,
        "axi_write_bytes": run.counters["rows_written"] * config.width,
        "kept_tokens": [int(tokens.sum()) for tokens in survivors],
        "top5": golden["logits"][0].topk(min(5, network.classes)).indices.tolist(),
        "on_chip_kb": round(on_chip_bytes(config, network) / 1024, 1),
        "wall_seconds": round(run.wall_seconds, 1),
        "counters": run.counters,
    }


def _show(result: dict, network: Network, *, trained: bool) -> None:
    table = Table("", "", show_header=False)
    for name in (
        "mismatches",
        "compared",
        "cycles",
        "cycles_model",
        "mac_bound_cycles",
        "ratio",
        "stall_cycles",
        "axi_read_bytes",
        "on_chip_kb",
        "wall_seconds",
    ):
        table.add_row(name.replace("_", " "), f"{result[name]:,}")
    if result["label"] is not None:
        table.add_row("label", str(result["label"]))
    if trained:
        imagenet = network.classes == IMAGENET_CLASSES
        named = ImageNetInfo().index_to_description if imagenet else str
        top = [named(index) for index in result["top5"]]
        table.add_row("top 5", "; ".join(top))
    console.print(table)
