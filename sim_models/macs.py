"""Multiply-accumulates of one image: those of matrix products, the entries that masks keep.

Softmax, GELU, LayerNorm with its gain, means and requantisation are not counted, nor what fills
rows up. One multiply-accumulate is two FLOPs.
"""

from collections.abc import Sequence

import numpy as np

from model.network.shape import Network
from model.pruning.placement import LayerTokens

FLOPS_PER_MAC = 2


def network_macs(
    network: Network, layer_tokens: Sequence[LayerTokens], kept_entries: int
) -> dict[str, int]:
    """Multiply-accumulates by operation, named as the fields of NetworkCycles.

    `kept_entries`: pairs of live query and live key that the masks keep, of all layers and heads
    """
    dim, hidden = network.dim, network.hidden
    attended = sum(tokens.attention for tokens in layer_tokens)
    projected = sum(tokens.projection for tokens in layer_tokens)
    return {
        "patch_embedding": network.patch_tokens * network.patch_inputs * dim,
        "qkv": attended * dim * 3 * dim,
        "attention": 2 * kept_entries * network.head_dim,
        "projection": projected * dim * dim,
        "ffn": projected * 2 * dim * hidden,
        "classifier": network.read_tokens * dim * network.classes,
    }


def kept_entries(network: Network, masks: np.ndarray | None, live: np.ndarray) -> int:
    """Entries that are computed.

    masks: kept entries, bool (layers, heads, n, n); None for dense attention
    live: tokens live in the attention of every layer, bool (layers, n)
    """
    if masks is None:
        return network.heads * int((live.sum(axis=-1, dtype=np.int64) ** 2).sum())
    return sum(
        int(np.count_nonzero(mask[:, alive] & alive))
        for mask, alive in zip(masks, live, strict=True)
    )
