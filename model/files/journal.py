"""A file of one JSON object a line, which only ever grows: what is finished survives a stop.

A line that a stop cut short is left out when the file is read, and ended before the next one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError
from rtl_gen.files import append_to_file


class Journal:
    """`entries` holds the objects of the file, in its order.

    Raises:
        UserError: a file that cannot be read or written.
    """

    def __init__(self, path: Path):
        self._path = path
        append_to_file(path, b"")
        try:
            text = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"cannot read {path} ({error.strerror}): choose another place"
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
        cut_short, self._cut_short = self._cut_short, True
        append_to_file(self._path, (f"\n{lines}" if cut_short else lines).encode())
        self._cut_short = False
        self.entries += map(dict, entries)
