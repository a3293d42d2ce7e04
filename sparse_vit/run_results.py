"""What a run of a network in RTL took and how it compares with golden model and cycle model."""

import itertools
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from rich.table import Table
from timm.data import ImageNetInfo
from torch import Tensor

from cocotb_tests.network.run import RtlRun
from model.network.shape import Network
from model.pruning.placement import LayerTokens
from rtl_gen.config import AcceleratorConfig
from sim_models.macs import kept_entries, network_macs
from sim_models.on_chip import on_chip_bytes
from sparse_vit.co_simulation import CoSimulation

IMAGENET_CLASSES = 1000
"""Of whose names timm knows all."""


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


def measured_batch(
    simulation: CoSimulation, network: Network, masks: Tensor, run: RtlRun
) -> dict[str, Any]:
    """What the first batch took, and how it compares with the multipliers' bound."""
    config, batch = simulation.config, simulation.batches[0]
    golden, cycles = batch.golden, run.counters["cycles"]
    bounds = []
    for core in range(config.cores):
        live = [golden[f"layers.{i}.live"][core] for i in range(network.layers)]
        leaving = golden[f"layers.{network.layers - 1}.survivors"][core]
        bounds.append(mac_bound_cycles(config, network, masks, [*live, leaving]))
    bound = fmean(bounds)
    survivors = [golden[f"layers.{i}.survivors"][0] for i in range(network.layers)]
    return {
        "cycles": cycles,
        "mac_bound_cycles": round(bound),
        "ratio": round(cycles / bound, 4),
        "images_per_second": round(config.cores * config.frequency_mhz * 1e6 / cycles, 1),
        "frequency_mhz": config.frequency_mhz,
        "stall_cycles": run.counters["weight_stalls"],
        "axi_read_bytes": run.counters["rows_read"] * config.width,
        "axi_write_bytes": run.counters["rows_written"] * config.width,
        "kept_tokens": [int(tokens.sum()) for tokens in survivors],
        "top5": _top5(golden, 0),
        "on_chip_kb": round(on_chip_bytes(config, network) / 1024, 1),
        "counters": run.counters,
        "cycles_model": batch.predicted["cycles"],
        "counters_model": batch.predicted,
    }


def compared_pictures(
    simulation: CoSimulation, names: Sequence[str], runs: Sequence[RtlRun]
) -> list[dict[str, Any]]:
    """Every picture: what of its results differs from the golden model, and the batch it was in."""
    found: list[dict[str, Any]] = []
    for number, (batch, run) in enumerate(zip(simulation.batches, runs, strict=True)):
        for core in range(batch.pictures):
            comparison = simulation.compare(batch, run, core)
            found.append(
                {
                    "picture": names[len(found)],
                    "batch": number,
                    "core": core,
                    "compared": comparison.compared,
                    "mismatches": comparison.mismatches,
                    "top5": _top5(batch.golden, core),
                    "cycles": run.counters["cycles"],
                    "cycles_model": batch.predicted["cycles"],
                }
            )
    return found


def _top5(golden: Mapping[str, Tensor], core: int) -> list[int]:
    logits = golden["logits"][core]
    return logits.topk(min(5, len(logits))).indices.tolist()


def result_tables(result: dict, network: Network, *, trained: bool) -> list[Table]:
    """What a run took; a line a picture if there are several."""
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
    rate = f"{result['images_per_second']:,} at {result['frequency_mhz']} MHz"
    table.add_row("images a second", rate)
    if result["label"] is not None:
        table.add_row("label", str(result["label"]))
    imagenet = network.classes == IMAGENET_CLASSES
    named = ImageNetInfo().index_to_description if imagenet else str
    top = ["; ".join(map(named, one["top5"])) if trained else "" for one in result["pictures"]]
    if trained and len(top) == 1:
        table.add_row("top 5", top[0])
    return [table] if len(top) == 1 else [table, _pictures_table(result["pictures"], top)]


def _pictures_table(pictures: Sequence[Mapping[str, Any]], top: Sequence[str]) -> Table:
    """A line a picture."""
    table = Table(title="Pictures")
    table.add_column("picture")
    for name in ("batch", "core", "mismatches", "cycles", "model"):
        table.add_column(name, justify="right")
    table.add_column("top 5")
    for one, classes in zip(pictures, top, strict=True):
        counts = (one[name] for name in ("mismatches", "cycles", "cycles_model"))
        place = (str(one["batch"]), str(one["core"]))
        table.add_row(one["picture"], *place, *(f"{count:,}" for count in counts), classes)
    return table
