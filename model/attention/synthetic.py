"""Seeded stand-ins for what needs real weights: attention maps, and Q, K, V with given attention.

Attention maps (`synthetic_maps`). DeiT-Small and Base have more heads than DeiT-Tiny but the same
layers and the same 14 x 14 patches. Every layer of theirs resamples the heads of the same layer of
the measured DeiT-Tiny maps:

1. Each new head takes a measured head as its base, all of them equally often, and another head of
   the same layer as its admixture.
2. Both are turned by one of the eight symmetries of the square patch grid, which keeps distances
   between patches, and blended in the log domain: log P = (1 - MIXTURE) log base + MIXTURE
   log admixture + noise. The noise has a part shared by a column and a part of each entry, scaled
   to the spread of each row.
3. The result ranks the entries of each row only: the row then gets the sorted values of its base
   row (amplitude-adjusted surrogate data, Theiler et al., Physica D 58, 1992), and the CLS column
   is the base's own.

So each head keeps its base's information curve in every row, thus density per layer at any
threshold, and the weight of CLS exactly; positions are new, while locality and vertical columns
stay. `resample` applied to DeiT-Tiny itself tells how well the rest (lane imbalance, columns)
survives.

A network of another depth takes the layers at the same relative depth; of another grid or other
prefix tokens, its maps are interpolated as well (`model.attention.regrid`). They are labelled
`resampled`.

Q, K, V (`qkv_from_attention`). Scores only matter up to a constant a row, so the best Q and K are
the truncated singular value decomposition of the row-centred logarithm of the wanted map
(Eckart-Young; constant columns cost one of its head_dim ranks). V is normal, with the standard
deviations that DeiT-Tiny's layers 3 to 11 have.
"""

import numpy as np

from model.attention.maps import SMALLEST, AttentionMaps, asset, load_attention_maps
from model.attention.regrid import Regrid
from model.network.names import ALL_NETWORKS, DEIT_TINY
from model.network.shape import Network
from rtl_gen.errors import UserError

MIXTURE = 0.15
"""Weight of the second head."""

COLUMN_NOISE = 0.1
ENTRY_NOISE = 0.1
"""Standard deviations of both kinds of noise, relative to that of log P in the row."""

VALUE_STD = 0.78
VALUE_MEAN_STD = 0.2
"""Spread of values over tokens, and of their means over channels, in DeiT-Tiny."""


def synthetic_maps(network: Network, seed: int = 0) -> AttentionMaps:
    """Maps of `network` made from the measured ones of DeiT-Tiny, and labelled as that."""
    measured = load_attention_maps(DEIT_TINY.name).maps
    layers = (2 * np.arange(network.layers) + 1) * DEIT_TINY.layers // (2 * network.layers)
    maps = resample(measured[layers], network.heads, seed, DEIT_TINY.prefix_tokens)
    source = f"resampled from the measured maps of {DEIT_TINY.name}"
    same_tokens = network.grid == DEIT_TINY.grid and (
        network.prefix_tokens == DEIT_TINY.prefix_tokens
    )
    if not same_tokens:
        maps = _regridded(maps, network)
        source += ", interpolated to another grid or prefix"
    return AttentionMaps(
        maps,
        {
            "network": network.name,
            "prefix_tokens": network.prefix_tokens,
            "synthetic": True,
            "resampled": not same_tokens or network.layers != DEIT_TINY.layers,
            "source": source,
            "seed": seed,
        },
    )


def _regridded(maps: np.ndarray, network: Network) -> np.ndarray:
    """Maps of DeiT-Tiny's tokens as those of a network's."""
    regrid = Regrid(DEIT_TINY, network)
    result = np.empty(network.mask_shape)
    for place in np.ndindex(result.shape[:2]):
        result[place] = regrid(maps[place])
    return result


def maps_of(network: Network, seed: int = 0) -> AttentionMaps:
    """The measured maps where the project has them, else synthetic ones."""
    if ALL_NETWORKS.get(network.name) == network and asset(network.name).is_file():
        return load_attention_maps(network.name)
    return synthetic_maps(network, seed)


def resample(maps: np.ndarray, heads: int, seed: int, prefix: int) -> np.ndarray:
    """New maps with `heads` heads a layer out of maps (layers, heads', n, n); rows sum to 1."""
    layers, sources, tokens, _ = maps.shape
    symmetries = grid_symmetries(tokens - prefix, prefix)
    result = np.empty((layers, heads, tokens, tokens))
    for layer in range(layers):
        rng = np.random.default_rng((seed, layer))
        turns = rng.permutation(np.resize(rng.permutation(len(symmetries)), heads))
        bases = rng.permutation(np.resize(rng.permutation(sources), heads))
        for head, (base, turn) in enumerate(zip(bases, turns, strict=True)):
            other = (base + rng.integers(1, max(sources, 2))) % sources
            order = symmetries[turn]
            first, second = (maps[layer, each][order][:, order] for each in (base, other))
            result[layer, head] = _blend(first, second, rng, prefix)
    return result


def grid_symmetries(patches: int, prefix: int) -> list[np.ndarray]:
    """The eight rotations and reflections of the square patch grid, as orders of all tokens."""
    side = round(patches**0.5)
    if side * side != patches:
        raise UserError(f"{patches} patches: expected a square grid")
    grid = np.arange(prefix, prefix + patches).reshape(side, side)
    fixed = np.arange(prefix)
    return [
        np.concatenate([fixed, np.rot90(face, quarter).ravel()])
        for face in (grid, grid.T)
        for quarter in range(4)
    ]


def _blend(
    base: np.ndarray, other: np.ndarray, rng: np.random.Generator, prefix: int
) -> np.ndarray:
    patches = slice(prefix, None)
    values = base[:, patches]
    logs = np.log(np.maximum(values, SMALLEST))
    noise = COLUMN_NOISE * rng.standard_normal((1, logs.shape[1]))
    noise = noise + ENTRY_NOISE * rng.standard_normal(logs.shape)
    blended = (1 - MIXTURE) * logs + MIXTURE * np.log(np.maximum(other[:, patches], SMALLEST))
    blended += noise * logs.std(axis=1, keepdims=True)
    result = base.copy()
    target = np.argsort(blended, axis=1, kind="stable") + prefix
    np.put_along_axis(result, target, np.sort(values, axis=1), axis=1)
    return result


def qkv_from_attention(
    attention: np.ndarray, head_dim: int = 64, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q, K, V (n, head_dim) float64 whose softmax(Q K^T / sqrt(head_dim)) is close to `attention`.

    Args:
        attention: (n, n), rows = queries, each summing to 1.
        head_dim: channels; more of them come closer.
        seed: of V and of the rotation that spreads Q and K over all channels alike.
    """
    rng = np.random.default_rng(seed)
    tokens = len(attention)
    logs = np.log(np.maximum(attention, SMALLEST))
    scores = (logs - logs.mean(axis=1, keepdims=True)) * head_dim**0.5
    left, singular, right = np.linalg.svd(scores)
    rank = min(head_dim, tokens)
    root = np.sqrt(singular[:rank])
    rotation = np.linalg.qr(rng.standard_normal((head_dim, head_dim)))[0][:rank]
    q = left[:, :rank] * root @ rotation
    k = right[:rank].T * root @ rotation
    means = VALUE_MEAN_STD * rng.standard_normal(head_dim)
    v = means + VALUE_STD * rng.standard_normal((tokens, head_dim))
    return q, k, v
