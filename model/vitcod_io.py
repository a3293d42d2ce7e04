"""ViTCoD's mask file: a NumPy array of bool (layers, heads, n, n), True = dropped, rows = queries.

Inside the project a mask is True where an entry is kept, so both functions invert.
Format of the authors' own code: github.com/GATECH-EIC/ViTCoD (HPCA 2023).
"""

from pathlib import Path

import numpy as np

from model.networks import Network
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file


def read_masks(path: Path, network: Network | None = None) -> np.ndarray:
    """The kept entries (True) of a ViTCoD mask file, bool (layers, heads, n, n).

    Args:
        path: the .npy file.
        network: where given, its layers, heads and tokens must match.

    Raises:
        UserError: unreadable, pickled, of a wrong type or shape, or a row keeps nothing.
    """
    if not path.is_file():
        raise UserError(f"no mask file {path}: name an existing .npy file")
    try:
        with path.open("rb") as file:
            dropped = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"mask file {path} is unreadable ({error}): expected a .npy array of bool"
        ) from error
    kept = ~dropped if dropped.dtype == np.bool_ else dropped
    check_masks(kept, network, name=f"mask file {path}")
    return kept


def write_masks(path: Path, masks: np.ndarray) -> None:
    """Write kept entries (True), bool (layers, heads, n, n), as a ViTCoD mask file."""
    check_masks(masks, name="the mask")
    with replace_file(path) as file:
        np.lib.format.write_array(file, ~np.ascontiguousarray(masks), allow_pickle=False)


def check_masks(masks: np.ndarray, network: Network | None = None, name: str = "the mask") -> None:
    """Raise UserError unless `masks` is bool (layers, heads, n, n) with an entry in every row."""
    if masks.dtype != np.bool_:
        raise UserError(f"{name} has type {masks.dtype}: expected bool, True = dropped")
    if masks.ndim != 4 or masks.shape[2] != masks.shape[3] or 0 in masks.shape:
        raise UserError(f"{name} has shape {masks.shape}: expected (layers, heads, n, n)")
    if network is not None and masks.shape != network.mask_shape:
        raise UserError(
            f"{name} has shape {masks.shape}: expected {network.mask_shape} for {network.name}"
        )
    empty = np.argwhere(~masks.any(axis=-1))
    if len(empty):
        layer, head, row = (int(index) for index in empty[0])
        raise UserError(
            f"{name} keeps nothing in layer {layer}, head {head}, row {row} "
            f"({len(empty)} such rows): every query must keep at least one key"
        )
