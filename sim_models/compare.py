"""Our cycles for a mask, with everything counted, beside ViTCoD's published formulas."""

from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from model.masks.strategies import SPARSITY_MEANS, sparsity_of
from model.masks.vitcod_file import read_masks
from model.network.names import get_network
from model.network.shape import Network
from rtl_gen.config import AcceleratorConfig
from sim_models.network import network_cycles
from sim_models.vitcod_simulator import (
    HEAD_DIM,
    LINEAR_MACS,
    PUBLISHED_ATTENTION_MACS,
    VitcodCycles,
    vitcod_cycles,
)


def comparison(path: Path, model: str | None, config: AcceleratorConfig) -> dict:
    """Both models' cycles for a mask file of `model` or, if that is None, of any shape.

    Raises:
        UserError: a broken mask, one of another model, or too large a one for the configuration.
    """
    wanted = None if model is None else get_network(model)
    masks = read_masks(path, wanted)
    layers, heads, tokens, _ = masks.shape
    network = wanted or Network(
        name=path.stem, layers=layers, heads=heads, head_dim=HEAD_DIM, grid=(1, tokens - 1)
    )
    ours = network_cycles(config, network, masks=masks)
    return {
        "mask": str(path),
        "shape": masks.shape,
        "sparsity": sparsity_of(masks),
        "macs": config.macs,
        "ours": {**ours.operations(), "total": ours.total},
        "vitcod": _as_dict(vitcod_cycles(masks, LINEAR_MACS)),
        "vitcod_published_attention": _as_dict(vitcod_cycles(masks, PUBLISHED_ATTENTION_MACS)),
    }


def comparison_table(result: dict) -> Table:
    """A line an operation, in cycles."""
    ours, vitcod = result["ours"], result["vitcod"]
    wide = result["vitcod_published_attention"]
    table = Table(
        title=f"{result['mask']}: {result['sparsity']:.1%} sparse, cycles",
        caption=f"ours: {result['macs']} MACs for everything, equal to the RTL. ViTCoD: its "
        f"published formulas, {LINEAR_MACS} MACs for linear layers; attention is that of head 0; "
        f"- is not counted. {SPARSITY_MEANS}",
    )
    table.add_column("operation")
    table.add_column("ours", justify="right")
    table.add_column(f"ViTCoD, {LINEAR_MACS} MACs", justify="right")
    table.add_column(f"ViTCoD, {PUBLISHED_ATTENTION_MACS} for attention", justify="right")
    rows = {
        "QKV, projection": (ours["qkv"] + ours["projection"], "linear"),
        "FFN": (ours["ffn"], "ffn"),
        "attention": (ours["attention"], "attention"),
        "softmax, GELU, requantisation": ("hidden", None),
        "LayerNorm": (ours["layer_norm"], None),
        "patch embedding": (ours["patch_embedding"], None),
        "classifier": (ours["classifier"], None),
        "start, inputs, outputs": (ours["between"] + ours["pruning"], None),
    }
    for name, (cycles, key) in rows.items():
        theirs = [_cycles(peer[key]) if key else "-" for peer in (vitcod, wide)]
        table.add_row(name, cycles if isinstance(cycles, str) else _cycles(cycles), *theirs)
    table.add_section()
    table.add_row("total", *(_cycles(side["total"]) for side in (ours, vitcod, wide)))
    return table


def _as_dict(cycles: VitcodCycles) -> dict[str, float]:
    return {**asdict(cycles), "total": cycles.total}


def _cycles(value: float) -> str:
    return f"{round(value):,}"
