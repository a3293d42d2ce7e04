"""ViTCoD mask files: round trip, meaning of the bits, and every way a file can be wrong."""

from pathlib import Path

import numpy as np
import pytest

from model.masks.vitcod_file import read_masks, write_masks
from model.network.names import DEIT_TINY
from rtl_gen.errors import UserError


def some_masks(shape=(2, 3, 9, 9)) -> np.ndarray:
    masks = np.random.default_rng(1).random(shape) < 0.5
    masks[..., 0] = True
    return masks


def test_round_trip(tmp_path: Path):
    path = tmp_path / "new" / "mask.npy"
    masks = some_masks()
    write_masks(path, masks)
    assert np.array_equal(read_masks(path), masks)
    dropped = np.load(path)
    assert dropped.dtype == np.bool_
    assert np.array_equal(dropped, np.logical_not(masks))
    assert [file.name for file in path.parent.iterdir()] == ["mask.npy"]


def test_fortran_order_reads_alike(tmp_path: Path):
    masks = some_masks()
    np.save(tmp_path / "mask.npy", np.asfortranarray(~masks))
    assert np.array_equal(read_masks(tmp_path / "mask.npy"), masks)


def test_shape_of_the_network(tmp_path: Path):
    path = tmp_path / "mask.npy"
    masks = some_masks(DEIT_TINY.mask_shape)
    write_masks(path, masks)
    assert np.array_equal(read_masks(path, DEIT_TINY), masks)
    np.save(path, ~some_masks((12, 6, 197, 197)))
    with pytest.raises(UserError, match=r"\(12, 6, 197, 197\): expected \(12, 3, 197, 197\)"):
        read_masks(path, DEIT_TINY)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((1, 1, 4, 4), dtype=np.uint8), "has type uint8: expected bool"),
        (np.zeros((1, 1, 4, 4)), "has type float64: expected bool"),
        (np.zeros((4, 4, 4), dtype=bool), r"shape \(4, 4, 4\)"),
        (np.zeros((1, 1, 4, 5), dtype=bool), r"shape \(1, 1, 4, 5\)"),
        (np.zeros((0, 1, 4, 4), dtype=bool), r"shape \(0, 1, 4, 4\)"),
        (np.array([{}, {}]), "unreadable"),
    ],
)
def test_wrong_arrays(tmp_path: Path, array: np.ndarray, message: str):
    np.save(tmp_path / "mask.npy", array, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        read_masks(tmp_path / "mask.npy")


def test_row_that_keeps_nothing(tmp_path: Path):
    dropped = ~some_masks()
    dropped[1, 2, 5] = True
    np.save(tmp_path / "mask.npy", dropped)
    with pytest.raises(UserError, match="keeps nothing in layer 1, head 2, row 5"):
        read_masks(tmp_path / "mask.npy")


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_no_npy_file(tmp_path: Path, content: bytes | None):
    path = tmp_path / "mask.npy"
    if content is None:
        np.save(path, ~some_masks())
        content = path.read_bytes()[:-10]
    path.write_bytes(content)
    with pytest.raises(UserError, match="unreadable"):
        read_masks(path)


def test_missing_file(tmp_path: Path):
    with pytest.raises(UserError, match="no mask file"):
        read_masks(tmp_path / "mask.npy")


def test_refused_masks_leave_the_old_file(tmp_path: Path):
    path = tmp_path / "mask.npy"
    path.write_text("old")
    with pytest.raises(UserError, match="keeps nothing"):
        write_masks(path, np.zeros((1, 1, 4, 4), dtype=bool))
    assert path.read_text() == "old"
    with pytest.raises(UserError, match="it is a folder"):
        write_masks(tmp_path, some_masks())
