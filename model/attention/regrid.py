"""Averaged attention of one grid of patches as that of another: for networks without maps.

Attention between patches is taken as a density over the picture: it is interpolated bilinearly at
the centres of the new patches, over queries and keys, and each row is scaled to what its query
gives to patches. Prefix tokens share what the source's prefix gets, and look where it looks.
"""

import numpy as np

from model.network.shape import Network


class Regrid:
    """From the attention (n, n) of a head of one network to that (n', n') of another's grid.

    The source needs a prefix token. Rows sum to 1 on both sides.
    """

    def __init__(self, source: Network, target: Network):
        rows, columns = (
            bilinear(old, new) for old, new in zip(source.grid, target.grid, strict=True)
        )
        self._patches = np.kron(rows, columns)
        self._before, self._after = source.prefix_tokens, target.prefix_tokens

    def __call__(self, attention: np.ndarray) -> np.ndarray:
        count, prefix = len(self._patches), self._after
        patches = slice(self._before, None)
        of_prefix = np.repeat(attention[: self._before].mean(axis=0)[None], prefix, axis=0)
        of_patches = self._patches @ attention[patches]
        queries = np.concatenate([of_prefix, of_patches])
        result = np.empty((prefix + count, prefix + count))
        density = queries[:, patches] @ self._patches.T
        share = queries[:, patches].sum(axis=1, keepdims=True)
        if prefix:
            result[:, :prefix] = (1 - share) / prefix
        else:
            share = np.ones_like(share)
        result[:, prefix:] = density * share / density.sum(axis=1, keepdims=True)
        return result


def bilinear(before: int, after: int) -> np.ndarray:
    """Weights (after, before) of linear interpolation at the centres of `after` equal parts."""
    places = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    lower = np.minimum(places.astype(int), max(before - 2, 0))
    weights = np.zeros((after, before))
    parts = np.arange(after)
    weights[parts, lower] += 1 - (places - lower)
    weights[parts, np.minimum(lower + 1, before - 1)] += places - lower
    return weights
