"""The networks that have a name."""

from typing import Any

from rich.console import Console
from rich.table import Table

from model.attention_maps import asset
from model.integer.choices import preset_for, shipped_integers
from model.networks import ALL_NETWORKS, timm_name


def networks() -> list[dict[str, Any]]:
    """List the networks: their shapes, the preset for each, what of them comes along."""
    rows = [
        {
            "network": network.name,
            "timm": timm_name(network),
            "layers": network.layers,
            "heads": network.heads,
            "channels": network.dim,
            "tokens": network.tokens,
            "classes": network.classes,
            "preset": preset_for(network),
            "attention": "measured" if asset(network.name).is_file() else "synthetic",
            "integers": "calibrated" if shipped_integers(network) else "random",
        }
        for network in ALL_NETWORKS.values()
    ]
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    return rows
