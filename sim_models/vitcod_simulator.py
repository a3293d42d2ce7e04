"""The published simulator of ViTCoD (HPCA 2023), restated as formulas, to stand beside our cycles.

From github.com/GATECH-EIC/ViTCoD, Hardware/Simulator (Apache-2.0; no code is taken over). It counts
for each layer, with d = 64 channels a head, n tokens, h heads, 2/3 of the heads left by the
autoencoder that compresses Q and K, 512 multipliers in 64 columns (linear layers, and attention
unless said otherwise), and 76.8 GiB/s of memory at 500 MHz:

    linear     QKV and output projection, and the encoder of Q and K
    FFN        both layers
    attention  the larger of loading (Q, K, V, decoder weights) and computing: decoding Q and K,
               SDDMM, SpMM

Attention is that of head 0 on 1 / h of the array, as heads are taken to be alike and to run side by
side. Columns kept by more than GLOBAL_ROWS queries are the dense part, G of them; the columns of
the array are shared out by kept entries, and the slower part counts.

It counts neither softmax nor LayerNorm, GELU, patch embedding, classifier, pruning, the heads but
the first, the traffic of FFN weights (a loop that never runs at fewer than 512 tokens) nor latency
of memory. Where no column is left for a part (dense masks) the published code divides by zero; here
that part gets one column.
"""

import math
from dataclasses import dataclass

import numpy as np

HEAD_DIM = 64
COLUMNS = 64
LINEAR_MACS = 512
PUBLISHED_ATTENTION_MACS = 4096
GLOBAL_ROWS = 50
COMPRESSION = 2 / 3
MEMORY_BITS_A_CYCLE = 76.8 * 2**30 * 8 / 500e6
VALUE_RELOAD = 0.5
"""Share of the sparse part's values that is loaded once more."""


@dataclass(frozen=True)
class VitcodCycles:
    """Cycles of all layers as the published simulator counts them."""

    linear: int
    ffn: int
    attention: float

    @property
    def total(self) -> float:
        return self.linear + self.ffn + self.attention


@dataclass(frozen=True)
class LayerAttention:
    """One layer's attention; cycles."""

    load: float
    decode: float
    sddmm: int
    spmm: int


def vitcod_cycles(masks: np.ndarray, attention_macs: int = LINEAR_MACS) -> VitcodCycles:
    """The published formulas for kept entries, bool (layers, heads, n, n)."""
    layers, heads, tokens, _ = masks.shape
    parts = [
        layer_attention(tokens, heads, *polarise(mask), attention_macs) for mask in masks[:, 0]
    ]
    loading = sum(part.load for part in parts)
    computing = sum(part.decode + part.sddmm + part.spmm for part in parts)
    return VitcodCycles(
        linear=layers * linear_cycles(tokens, heads),
        ffn=layers * ffn_cycles(tokens, heads),
        attention=max(loading, computing),
    )


def polarise(mask: np.ndarray) -> tuple[int, int]:
    """(global columns, kept entries of the others) of a head's mask (n, n)."""
    kept = mask.sum(axis=0)
    is_global = kept > GLOBAL_ROWS
    return int(is_global.sum()), int(kept[~is_global].sum())


def linear_cycles(tokens: int, heads: int) -> int:
    """QKV, the encoder of Q and K and the output projection of a layer; loads never take longer."""
    dim = heads * HEAD_DIM
    macs = int(LINEAR_MACS / heads)
    encoder_macs = int(LINEAR_MACS / (heads * COMPRESSION))
    qkv = 3 * tokens * (dim * HEAD_DIM // macs)
    encoder = 2 * tokens * (dim // encoder_macs)
    return qkv + encoder + tokens * dim * HEAD_DIM // macs


def ffn_cycles(tokens: int, heads: int) -> int:
    """Both FFN layers of a layer."""
    return 2 * (tokens * 4 * (heads * HEAD_DIM) ** 2 // LINEAR_MACS)


def layer_attention(
    tokens: int, heads: int, global_tokens: int, sparse_entries: int, attention_macs: int
) -> LayerAttention:
    """A layer's attention from the two parts of head 0's mask."""
    rows = attention_macs / COLUMNS / heads
    compressed = heads * COMPRESSION
    decode_row = math.ceil(compressed * HEAD_DIM / int(attention_macs / heads))
    load_row = _load(compressed * HEAD_DIM)
    load_decoder = _load(compressed, share=1 / heads)
    load_value = _load(heads * HEAD_DIM)
    others = tokens - global_tokens

    load, decode = 0.0, 0.0
    if global_tokens:
        load += (global_tokens + tokens) * load_row + 2 * load_decoder
        decode += (global_tokens + tokens) * decode_row
    if others:
        load += others * load_row + load_decoder
        decode += others * decode_row
    if not global_tokens:
        reloads = sparse_entries / tokens
        load += tokens * load_row * reloads + load_decoder
        decode += tokens * decode_row * reloads
    load += load_value * (global_tokens + (1 + VALUE_RELOAD) * others)

    dense_entries = global_tokens * tokens
    dense_columns = int(COLUMNS * dense_entries / (dense_entries + sparse_entries))
    dense_columns = min(max(dense_columns, bool(dense_entries)), COLUMNS - bool(sparse_entries))
    sparse_columns = COLUMNS - dense_columns
    channel_steps = math.ceil(HEAD_DIM / rows)
    sddmm = spmm = 0
    if dense_entries:
        sddmm = global_tokens * math.ceil(tokens / dense_columns) * channel_steps
        spmm = math.ceil(dense_entries * HEAD_DIM / max(int(dense_columns * rows), 1))
    if sparse_entries:
        sddmm = max(sddmm, math.ceil(sparse_entries / sparse_columns) * channel_steps)
        sparse_spmm = math.ceil(sparse_entries * HEAD_DIM / max(int(sparse_columns * rows), 1))
        spmm = max(spmm, sparse_spmm)
    return LayerAttention(load=load, decode=decode, sddmm=sddmm, spmm=spmm)


def _load(values: float, share: float = 1.0) -> int:
    """Cycles to load int8 values through a share of the memory's bandwidth."""
    return math.ceil(values * 8 / (MEMORY_BITS_A_CYCLE * share))
