"""Libraries of standard cells: their liberty files. Needs nothing but Python's standard library."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

from rtl_gen.errors import UserError

DEFAULT_LIBRARY = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""OSU's 180 nm library."""
DEFAULT_PACKAGE = "qflow-tech-osu018"
"""Debian's package of it."""

_FLIP_FLOP = re.compile(r"^\s*ff\s*\(", re.M)


class Library:
    """
    Parameters
    ----------
    paths : its liberty files, gzipped or not

    Attributes
    ----------
    texts : what is in them, by file name without `.gz`

    Raises UserError if one cannot be read, or if none has a flip-flop.
    """

    def __init__(self, paths: Sequence[Path]):
        self.texts = {path.name.removesuffix(".gz"): _read(path) for path in paths}
        if not self.flip_flops():
            names = ", ".join(self.texts)
            raise UserError(f"{names}: no flip-flop in it; give all liberty files of the library")

    @property
    def name(self) -> str:
        """What the names of the files begin with."""
        return next(iter(self.texts)).partition("_")[0]

    @property
    def options(self) -> str:
        """Of Yosys's passes, for the files that `write` leaves in its folder."""
        return " ".join(f"-liberty {name}" for name in self.texts)

    def write(self, folder: Path) -> None:
        """The files, unzipped."""
        for name, text in self.texts.items():
            (folder / name).write_text(text)

    def flip_flops(self) -> list[str]:
        """Names of the cells that are one."""
        cells = (
            cell
            for text in self.texts.values()
            for cell in re.split(r"^\s*cell\s*\(", text, flags=re.M)[1:]
        )
        return [cell.partition(")")[0].strip(' "') for cell in cells if _FLIP_FLOP.search(cell)]


def _read(path: Path) -> str:
    """Raises UserError if that is impossible, or nothing of a library."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        missing = path == DEFAULT_LIBRARY
        hint = f": install Debian's package {DEFAULT_PACKAGE} or give --liberty" if missing else ""
        reason = getattr(error, "strerror", None) or "no liberty file, gzipped or not"
        raise UserError(f"{path}: {reason}{hint}") from error
    if not re.search(r"^\s*library\s*\(", text, re.M):
        raise UserError(f"{path}: no liberty file, which begins with library (...)")
    return text
