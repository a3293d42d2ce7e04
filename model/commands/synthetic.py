"""Seeded stand-ins for what needs real weights."""

from typing import Annotated

import numpy as np
import typer

from model.attention.synthetic import maps_of, qkv_from_attention, synthetic_maps
from model.commands.options import ModelName, Out, Seed
from model.network.names import get_network
from model.network.shape import Network
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file


def synthetic_maps_command(*, model: ModelName, seed: Seed = 0, out: Out) -> None:
    """Attention maps of a network, resampled from the measured ones of DeiT-Tiny (.npz)."""
    maps = synthetic_maps(get_network(model), seed)
    with replace_file(out) as file:
        maps.write(file)
    print(f"{out}: {maps.maps.shape}, synthetic")


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
