"""Polarisation of static masks (ViTCoD, HPCA 2023): global tokens to the front.

A column that very many rows keep belongs to a global token. Moving the global columns of a head to
the front splits its mask into a dense part, that can be computed without looking at the mask, and a
sparse part.

Which columns are global follows from the head itself, as one fixed count breaks when sparsity
changes (at 50 % nearly every column passes it). Prefix tokens (CLS), whose columns are always full,
are global always. Of the other columns, those are global whose count is above both

- Otsu's threshold of the head's column counts (IEEE Trans. SMC 9(1), 1979): the split into two
  classes with the largest variance between them, which separates the two humps of a polarised head
  wherever they lie; and
- half the rows: below that, a dense column would compute more dropped entries than kept ones.

Masks are bool (layers, heads, n, n), True = kept, rows = queries.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Polarisation:
    """The column order of every head and the split that it makes.

    order: int (layers, heads, n); order[l, h, p] is the token whose column stands at position p.
        Global tokens come first, and within both parts tokens keep their order.
    globals: int (layers, heads); the first so many positions form the dense part
    dense_density, sparse_density: float (layers, heads); kept fraction of each part, 0 where it has
        no columns
    """

    order: np.ndarray
    globals: np.ndarray
    dense_density: np.ndarray
    sparse_density: np.ndarray

    def apply(self, masks: np.ndarray) -> np.ndarray:
        """The masks with their columns in polarised order."""
        return np.take_along_axis(masks, self.order[:, :, None, :], axis=-1)

    def restore(self, polarised: np.ndarray) -> np.ndarray:
        """The inverse of `apply`."""
        masks = np.empty_like(polarised)
        np.put_along_axis(masks, self.order[:, :, None, :], polarised, axis=-1)
        return masks


def polarise(masks: np.ndarray, prefix: int) -> Polarisation:
    """Polarise every head of masks (layers, heads, n, n), `prefix` tokens being global."""
    layers, heads, tokens, _ = masks.shape
    counts = np.count_nonzero(masks, axis=2)
    is_global = np.zeros(counts.shape, dtype=bool)
    is_global[..., :prefix] = True
    for layer in range(layers):
        for head in range(heads):
            patches = counts[layer, head, prefix:]
            threshold = max(otsu_threshold(patches), tokens / 2)
            is_global[layer, head, prefix:] = patches > threshold

    number = np.count_nonzero(is_global, axis=-1)
    dense = np.where(is_global, counts, 0).sum(axis=-1)
    sparse = counts.sum(axis=-1) - dense
    return Polarisation(
        order=np.argsort(~is_global, axis=-1, kind="stable"),
        globals=number,
        dense_density=dense / (np.maximum(number, 1) * tokens),
        sparse_density=sparse / (np.maximum(tokens - number, 1) * tokens),
    )


def otsu_threshold(counts: np.ndarray) -> int:
    """The count t for which {<= t} and {> t} have the largest variance between them.

    Equal counts are their own threshold, so that none is above it.
    """
    values, frequency = np.unique(counts, return_counts=True)
    if len(values) == 1:
        return int(values[0])
    below = np.cumsum(frequency)[:-1]
    above = counts.size - below
    sum_below = np.cumsum(values * frequency)[:-1]
    sum_above = counts.sum() - sum_below
    between = below * above * (sum_below / below - sum_above / above) ** 2
    return int(values[np.argmax(between)])
