"""NumPy files from users: what they claim is checked before anything is allocated or unpacked.

Pickles are never read. An array must be as long as its header says, and no longer than `MAX_BYTES`,
which is more than the masks or maps of any Vision Transformer take.
"""

import io
import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from rtl_gen.errors import UserError

MAX_BYTES = 2**28
"""Of one array."""

HEADER_BYTES = 2**14
"""More than NumPy reads of a header."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Readers by the version of the format; later ones are for names of fields."""


@contextmanager
def told_as(subject: str, expected: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file into `<subject> unreadable (why): expected <expected>`.

    Raises:
        UserError: anything went wrong.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # Decoders let escape whatever they meet in a foreign file, lack of memory included.
        text = error.strerror if isinstance(error, OSError) else str(error)
        lines = (text or "").strip().splitlines()
        reason = lines[0].rstrip(".") if lines else type(error).__name__
        raise UserError(f"{subject} unreadable ({reason}): expected {expected}") from error


def read_array(path: Path) -> np.ndarray:
    """The array of a .npy file; any exception means that there is none."""
    with path.open("rb") as file:
        return _read(file, path.stat().st_size)


def read_archive(path: Path, *members: str) -> list[np.ndarray]:
    """The arrays of a .npz file that has exactly these; any exception means that it has not."""
    if not zipfile.is_zipfile(path):
        raise ValueError("no .npz archive")
    with zipfile.ZipFile(path) as archive:
        found = sorted(name.removesuffix(".npy") for name in archive.namelist())
        if found != sorted(members):
            raise ValueError(f"members {', '.join(found)[:80] or 'none'}")
        arrays = []
        for member in members:
            information = archive.getinfo(f"{member}.npy")
            with archive.open(information) as file:
                arrays.append(_read(file, information.file_size))
        return arrays


def metadata_of(array: np.ndarray) -> dict[str, Any]:
    """The mapping whose JSON text an array holds; any exception means that it holds none."""
    found = json.loads(str(array))
    if not isinstance(found, dict):
        raise ValueError("no metadata")
    return found


def _read(file: IO[bytes], size: int) -> np.ndarray:
    """The array at the start of a file of `size` bytes."""
    if size > 2 * MAX_BYTES:
        raise ValueError(f"{size:,} bytes long")
    start = io.BytesIO(file.read(HEADER_BYTES))
    shape, fortran_order, dtype = _header(start)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    needed, left = math.prod(shape) * dtype.itemsize, size - start.tell()
    if min(shape, default=1) < 0 or needed > left:
        raise ValueError(f"its header claims {needed:,} bytes, where {left:,} follow")
    if needed > MAX_BYTES:
        raise ValueError(f"it holds {needed:,} bytes")
    contents = start.read(needed)
    contents += file.read(needed - len(contents))
    if len(contents) < needed:
        raise ValueError("it is cut short")
    array = np.frombuffer(contents, dtype).reshape(shape, order="F" if fortran_order else "C")
    if dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError("its bytes are neither 0 nor 1")
    return array


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type."""
    try:
        return _HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:
        # NumPy parses the header as Python text, with all that this may raise.
        raise ValueError("no NumPy header") from error
