"""The picture files below a folder, told from what only looks like them."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from model.data.pictures import irregularity
from rtl_gen.errors import UserError

SUFFIXES = frozenset(IMG_EXTENSIONS)

_EXAMPLES = 3


@dataclass(frozen=True)
class LeftOut:
    """A file that is not among the images, and why."""

    path: Path
    reason: str

    def __str__(self):
        return f"{self.path} ({self.reason})"


def examples(left_out: Sequence[object]) -> str:
    """What was left out, the first few by name."""
    names = ", ".join(str(each) for each in left_out[:_EXAMPLES])
    more = len(left_out) - _EXAMPLES
    return f"{names} and {more} more" if more > 0 else names


def find_pictures(root: Path) -> tuple[list[Path], list[LeftOut]]:
    """Files of a picture's suffix at any depth, by their paths, and those that cannot be opened.

    Links are followed, but no folder is entered twice. Hidden files and folders do not count. Of
    the files nothing is read.

    Raises:
        UserError: no such folder, it may not be read, or its name is no text.
    """
    found: list[Path] = []
    left_out: list[LeftOut] = []
    entered: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            reason, below = _look_at(path, entered, top=path is root)
        except OSError as error:
            reason, below = error.strerror, None
        if reason is not None and path is root:
            raise UserError(f"image folder {root} is unreadable ({reason}): name a folder")
        if reason is not None:
            left_out.append(LeftOut(path, reason))
        elif below is not None:
            waiting += sorted(below, reverse=True)
        elif _named_as_picture(path):
            found.append(path)
    return found, left_out


def _look_at(
    path: Path, entered: set[tuple[int, int]], *, top: bool
) -> tuple[str | None, list[Path] | None]:
    """Why a path cannot be used, and what lies in it if it is a folder."""
    status = path.stat()
    if not _is_text(path):
        return "its name is not in UTF-8", None
    if stat.S_ISDIR(status.st_mode) and (top or not _named_as_picture(path)):
        place = status.st_dev, status.st_ino
        if place in entered:
            return "a link to a folder that is read already", None
        entered.add(place)
        return None, [each for each in path.iterdir() if not each.name.startswith(".")]
    if top:
        return "no folder", None
    if not _named_as_picture(path):
        return None, None
    reason = irregularity(status.st_mode)
    if reason is None and not os.access(path, os.R_OK):
        reason = "permission denied"
    return reason, None


def _named_as_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
