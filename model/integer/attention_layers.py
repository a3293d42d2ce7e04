"""Attention layers on their own: what the accelerator is given, and their golden run."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.integer.attention import HeadScales, HeadTrace, attend, select_tokens


@dataclass(frozen=True)
class AttentionLayer:
    """Integer inputs of one layer's attention; h heads, n tokens, d channels a head."""

    q: Tensor  # (h, n, d) int8 values
    k: Tensor  # (h, n, d) int8 values
    v: Tensor  # (h, n, d) int8 values
    mask: Tensor  # (h, n, n) bool, True = kept
    scales: tuple[HeadScales, ...]
    keep: int | None = None
    """Tokens, the prefix included, that stay after this layer; None: no pruning."""
    prefix: int = 1
    """The first tokens, which stay before all others."""

    @property
    def heads(self) -> int:
        return self.q.shape[0]

    @property
    def tokens(self) -> int:
        return self.q.shape[1]

    @property
    def head_dim(self) -> int:
        return self.q.shape[2]


@dataclass(frozen=True)
class AttentionLayerTrace:
    """Golden results of one layer."""

    live: Tensor  # (n,) bool: tokens that the layer works on
    heads: list[HeadTrace]
    importance: Tensor  # (n,) column sums over queries and heads
    survivors: Tensor  # (n,) bool: tokens live after the layer

    def kept_entries(self, mask: Tensor) -> Tensor:
        """(h, n, n) entries that are computed."""
        return mask & self.live[:, None] & self.live


def run_layers(tokens: int, layers: Sequence[AttentionLayer]) -> list[AttentionLayerTrace]:
    """Golden run: each layer attends over the survivors of the layers before it."""
    live = torch.ones(tokens, dtype=torch.bool)
    traces = []
    for layer in layers:
        heads = [
            attend(layer.q[h], layer.k[h], layer.v[h], layer.mask[h], live, layer.scales[h])
            for h in range(layer.heads)
        ]
        importance = torch.stack([trace.importance for trace in heads]).sum(0)
        survivors = live
        if layer.keep is not None:
            survivors = select_tokens(importance, live, layer.keep, layer.prefix)
        traces.append(AttentionLayerTrace(live, heads, importance, survivors))
        live = survivors
    return traces
