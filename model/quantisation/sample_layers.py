"""Consecutive attention layers of DeiT-Tiny from its averaged attention maps, without weights.

Q and K are factorised from the logarithm of a head's map, so that their softmax is close to real
attention; V is random. Masks come from the same maps, and the schedule prunes after every layer.
"""

import numpy as np
import torch

from model.attention.maps import load_attention_maps
from model.attention.synthetic import qkv_from_attention
from model.integer.attention_layers import AttentionLayer
from model.masks.strategies import make_masks
from model.network.names import DEIT_TINY
from model.pruning.schedule import DEFAULT_SCHEDULE
from model.quantisation.attention import quantise_attention


def sample_layers(
    *, first: int = 3, count: int = 2, sparsity: float = 0.8, seed: int = 0
) -> list[AttentionLayer]:
    """`count` layers from layer `first` on, each pruned as the default schedule says."""
    maps = load_attention_maps(DEIT_TINY.name).maps
    masks = torch.from_numpy(make_masks(maps, sparsity, prefix=DEIT_TINY.prefix_tokens))
    tokens = DEFAULT_SCHEDULE.layer_tokens(DEIT_TINY)
    layers = []
    for index in range(first, first + count):
        heads = [
            qkv_from_attention(attention, DEIT_TINY.head_dim, seed + 100 * index + head)
            for head, attention in enumerate(maps[index])
        ]
        q, k, v = (torch.from_numpy(np.stack(parts)) for parts in zip(*heads, strict=True))
        keep = tokens[index].leaving if tokens[index].leaving < DEIT_TINY.tokens else None
        layers.append(quantise_attention(q, k, v, masks[index], keep))
    return layers
