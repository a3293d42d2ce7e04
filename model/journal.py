"""A file of one JSON object a line, which only ever grows: what is finished survives a stop.

A line that a stop cut short is left out when the file is read, and ended before the next one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError


class Journal:
    """`entries` holds the objects of the file, in its order.

    Raises:
        UserError: a file that cannot be read or written.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            text = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"cannot write to {path} ({error.strerror}): choose another place"
            ) from error
        self._cut_short = text[-1:] not in (b"", b"\n")
        self.entries: list[dict[str, Any]] = []
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                self.entries.append(entry)

    def append(self, *entries: Mapping[str, Any]) -> None:
        """Add objects; they are in the file when this returns."""
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        with self._path.open("a") as file:
            file.write(f"\n{lines}" if self._cut_short else lines)
        self._cut_short = False
        self.entries += entries
