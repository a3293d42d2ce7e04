"""ViTCoD's mask file: a NumPy array of bool (layers, heads, n, n), True = dropped, rows = queries.

Inside the project a mask is True where an entry is kept, so both functions invert.
Format of the authors' own code: github.com/GATECH-EIC/ViTCoD (HPCA 2023).

Masks whose kept and dropped entries were swapped look like any others, but for two places that
attention needs most: CLS, which everything meets in, and the diagonal, a token's look at itself.
Masks of every rule known keep more of them than of the rest; swapped ones drop more.
"""

import warnings
from pathlib import Path

import numpy as np

from model.files.arrays import read_array, told_as
from model.masks.strategies import sparsity_of
from model.network.shape import Network
from rtl_gen.errors import InputWarning, UserError
from rtl_gen.files import replace_file

SUSPICIOUS = 1 / 2
"""From the share dropped of all entries towards all of them: beyond it, both places are missing."""

MARGIN = 0.1
"""So much more than of all entries is dropped of both places, at least."""


def read_masks(path: Path, network: Network | None = None) -> np.ndarray:
    """The kept entries (True) of a ViTCoD mask file, bool (layers, heads, n, n).

    Args:
        path: the .npy file.
        network: where given, its layers, heads and tokens must match.

    Raises:
        UserError: unreadable, pickled, of a wrong type or shape, or a row keeps nothing.

    Warns:
        InputWarning: kept and dropped look swapped.
    """
    with told_as(f"mask file {path} is", "a .npy array of bool"):
        if not path.is_file():
            raise UserError(f"no mask file {path}: name an existing .npy file")
        dropped = read_array(path)
    kept = ~dropped if dropped.dtype == np.bool_ else dropped
    check_masks(kept, network, name=f"mask file {path}")
    return kept


def write_masks(path: Path, masks: np.ndarray) -> None:
    """Write kept entries (True), bool (layers, heads, n, n), as a ViTCoD mask file."""
    check_masks(masks, name="the mask")
    with replace_file(path) as file:
        np.lib.format.write_array(file, ~np.ascontiguousarray(masks), allow_pickle=False)


def check_masks(masks: np.ndarray, network: Network | None = None, name: str = "the mask") -> None:
    """Refuse what is no mask: kept entries (True), bool (layers, heads, n, n).

    Raises:
        UserError: of a wrong type or shape, or a row keeps nothing.

    Warns:
        InputWarning: kept and dropped look swapped.
    """
    if masks.dtype != np.bool_:
        raise UserError(f"{name} has type {masks.dtype}: expected bool, True = dropped")
    if masks.ndim != 4 or masks.shape[2] != masks.shape[3] or 0 in masks.shape:
        raise UserError(f"{name} has shape {masks.shape}: expected (layers, heads, n, n)")
    if network is not None and masks.shape != network.mask_shape:
        raise UserError(
            f"{name} has shape {masks.shape}: expected {network.mask_shape} for {network.name}"
        )
    has_class_token = network is None or network.prefix_tokens > 0
    swapped = _signs_of_swapping(masks) if has_class_token else None
    empty = np.argwhere(~masks.any(axis=-1))
    if len(empty):
        layer, head, row = (int(index) for index in empty[0])
        raise UserError(
            f"{name} keeps nothing in layer {layer}, head {head}, row {row} "
            f"({len(empty)} such rows): every query must keep at least one key"
            + (f"; {swapped}" if swapped else "")
        )
    if swapped:
        cause = (masks.shape, swapped)
        warnings.warn(InputWarning(f"{name}: {swapped}", cause=cause), stacklevel=2)


def _signs_of_swapping(masks: np.ndarray) -> str | None:
    """Why kept and dropped look swapped, with the numbers that say so; None if they do not.

    The signs: a larger share of the two places together is dropped than of all entries, and it is
    far larger, or one of the places is dropped whole and the other in part. Masks that keep CLS's
    row and column whole are right, as swapped ones would have kept nothing for CLS.
    """
    if masks.shape[-1] == 1:
        return None
    sparsity, row = sparsity_of(masks), 1 - masks[:, :, 0].mean()
    column = 1 - masks[:, :, 1:, 0].mean()
    diagonal = 1 - np.diagonal(masks, axis1=2, axis2=3)[..., 1:].mean()
    excess = (column + diagonal) / 2 - sparsity
    one_whole = max(column, diagonal) == 1 and min(column, diagonal) > 0
    far_larger = excess > SUSPICIOUS * (1 - sparsity)
    if max(row, column) == 0 or excess <= MARGIN or not (one_whole or far_larger):
        return None
    return (
        f"kept and dropped entries look swapped, as {column:.1%} of CLS's column, {row:.1%} of its "
        f"row and {diagonal:.1%} of the diagonals are dropped at a sparsity of {sparsity:.1%}: "
        "expected True = dropped in a mask file, True = kept in an array"
    )
