"""NumPy files that claim, hide or lack something: one sentence, before anything is allocated."""

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.attention.entry_scores import load_scores
from model.attention.maps import load_attention_maps
from model.files import arrays
from model.masks.vitcod_file import read_masks
from model.network.names import ASSETS, DEIT_TINY
from rtl_gen.errors import UserError

SMALL = 2**24
"""Bytes that a refusal may allocate."""

METADATA = {"network": "toy", "synthetic": False}


def npy(header: str, contents: bytes = b"", version: int = 1) -> bytes:
    """A .npy file with a header of one's own."""
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode("latin1") + contents


def header(shape: str, kind: str = "|b1") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n"


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


BROKEN_ARRAYS = {
    "more than follows": (
        npy(header("(1000000, 1000, 1000)"), b"\1" * 99),
        "its header claims 1,000,000,000,000 bytes, where 99 f",
    ),
    "more than any integer": (
        npy(header(f"({10**30}, {10**30})"), b"\1" * 99),
        "its header claims",
    ),
    "negative": (npy(header("(-4, 4)"), b"\1" * 99), "its header claims"),
    "long header": (npy(header("(4,)") + " " * 60_000), "no NumPy header"),
    "header longer than the file": (
        npy("", version=2)[:8] + b"\xff\xff\xff\x7f",
        "no NumPy header",
    ),
    "header that nests": (npy("(" * 9000), "no NumPy header"),
    "header of signs": (npy("{'descr': " + "-" * 9000 + "1}"), "no NumPy header"),
    "no mapping": (npy("[1, 2]"), "no NumPy header"),
    "unknown type": (npy(header("(4,)", "|q9"), b"\1" * 99), "no NumPy header"),
    "later version": (npy(header("(1,)"), b"\1", version=3), "no NumPy header"),
    "no magic": (b"PK\3\4", "no NumPy header"),
    "empty": (b"", "no NumPy header"),
    "pickle": (saved(np.array([{}, {}], dtype=object)), "it holds Python objects"),
    "cut short": (saved(np.ones((1, 1, 9, 9), dtype=np.bool_))[:-1], "its header claims 81 bytes"),
    "other bytes": (npy(header("(1, 1, 2, 2)"), b"\1\1\2\1"), "its bytes are neither 0 nor 1"),
}


def refused(read: Callable[[Path], object], path: Path) -> str:
    """The one line that a reader says, without much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < SMALL
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("case", BROKEN_ARRAYS)
def test_broken_array(tmp_path: Path, case: str):
    content, reason = BROKEN_ARRAYS[case]
    path = tmp_path / "array.npy"
    path.write_bytes(content)
    message = refused(read_masks, path)
    assert message.startswith(f"mask file {path} is unreadable ({reason}"), message
    # The same as a member of an archive.
    write_archive(tmp_path / "array.npz", {"levels.npy": content, "metadata.npy": metadata()})
    for read, kind in ((load_attention_maps, "attention maps"), (load_scores, "entry scores")):
        message = refused(read, tmp_path / "array.npz")
        assert message.startswith(f"{kind} {tmp_path / 'array.npz'} are unreadable ({reason}")


def write_archive(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def metadata(value: object = METADATA) -> bytes:
    return saved(np.array(json.dumps(value)))


LEVELS = saved(np.ones((1, 1, 4, 4), dtype=np.uint16))

BROKEN_ARCHIVES = {
    "member missing": ({"levels.npy": LEVELS}, "(members levels)"),
    "other members": (
        {"levels.npy": LEVELS, "metadata.npy": metadata(), "more.npy": LEVELS},
        "(members levels, metadata, more)",
    ),
    "no members": ({}, "(members none)"),
    "other type": (
        {"levels.npy": saved(np.ones((1, 1, 4, 4))), "metadata.npy": metadata()},
        "(levels are float64 (1, 1, 4, 4))",
    ),
    "no dimensions": (
        {"levels.npy": saved(np.uint16(4)), "metadata.npy": metadata()},
        "(levels are uint16 ())",
    ),
    "metadata that are no text": (
        {"levels.npy": LEVELS, "metadata.npy": saved(np.ones((2, 2)))},
        "are unreadable (",
    ),
    "metadata that are no mapping": (
        {"levels.npy": LEVELS, "metadata.npy": metadata([1])},
        "(no metadata)",
    ),
    "metadata that nest": (
        {"levels.npy": LEVELS, "metadata.npy": saved(np.array("[" * 200_000))},
        "are unreadable (",
    ),
    "metadata without a network": (
        {"levels.npy": LEVELS, "metadata.npy": metadata({"network": 5, "synthetic": True})},
        "(its metadata name no network)",
    ),
    "metadata with another kind": (
        {"levels.npy": LEVELS, "metadata.npy": metadata({"network": "toy", "synthetic": "no"})},
        "(its metadata do not say whether they are synthetic)",
    ),
}


@pytest.mark.parametrize("case", BROKEN_ARCHIVES)
def test_broken_archive(tmp_path: Path, case: str):
    members, message = BROKEN_ARCHIVES[case]
    write_archive(tmp_path / "maps.npz", members)
    assert message in refused(load_attention_maps, tmp_path / "maps.npz")


@pytest.mark.parametrize("damage", ["encrypted", "unknown compression", "wrong sum", "longer"])
def test_damaged_archive(tmp_path: Path, damage: str):
    path = tmp_path / "maps.npz"
    write_archive(path, {"levels.npy": LEVELS, "metadata.npy": metadata()})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\1\2")
    place, value = {
        "encrypted": (8, 1),
        "unknown compression": (10, 77),
        "wrong sum": (16, content[directory + 16] ^ 1),
        "longer": (24, content[directory + 24] + 1),
    }[damage]
    content[directory + place] = value
    path.write_bytes(content)
    if damage == "longer":  # NumPy reads no further than its header says.
        load_attention_maps(path)
    else:
        assert "are unreadable (" in refused(load_attention_maps, path)


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A megabyte of zeros in a kilobyte, with a header that is true or short of it."""
    monkeypatch.setattr(arrays, "MAX_BYTES", 2**16)
    array = saved(np.zeros((1, 1, 724, 724), dtype=np.uint16))
    write_archive(tmp_path / "long.npz", {"levels.npy": array, "metadata.npy": metadata()})
    assert "bytes long)" in refused(load_attention_maps, tmp_path / "long.npz")
    array = saved(np.zeros((1, 1, 182, 182), dtype=np.uint16))
    write_archive(tmp_path / "long.npz", {"levels.npy": array, "metadata.npy": metadata()})
    assert "(it holds 66,248 bytes)" in refused(load_attention_maps, tmp_path / "long.npz")


def test_folder_and_asset(tmp_path: Path):
    assert refused(read_masks, tmp_path).startswith("no mask file")
    assert load_attention_maps("deit_tiny_patch16_224").metadata["network"] == DEIT_TINY.name
    assert load_scores(ASSETS / "deit_tiny-scores.npz").scores.shape == DEIT_TINY.mask_shape
