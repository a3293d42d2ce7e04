"""Rows that were evaluated before: a file of one JSON object a line, which only ever grows.

Each line holds `key`, the SHA-256 of everything that decides on the row, and what was found. A line
that a kill cut short is ignored, and its row evaluated again.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError


def key_of(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings that JSON holds, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class FinishedRows:
    """The rows of one file by key; `add` appends."""

    def __init__(self, path: Path):
        self.path = path
        self._rows: dict[str, dict[str, Any]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            lines = path.read_text().splitlines()
        except OSError as error:
            raise UserError(
                f"cannot keep rows in {path} ({error.strerror}): choose another place"
            ) from error
        for line in lines:
            try:
                row = json.loads(line)
                self._rows[row["key"]] = row
            except (ValueError, KeyError, TypeError):
                continue

    def get(self, key: str) -> dict[str, Any] | None:
        return self._rows.get(key)

    def add(self, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Append a row, on a line of its own even behind a line that was cut short."""
        whole = {"key": key, **row}
        line = json.dumps(whole)
        cut_short = self.path.read_bytes()[-1:] not in (b"", b"\n")
        with self.path.open("a") as file:
            file.write(f"\n{line}\n" if cut_short else f"{line}\n")
        self._rows[key] = whole
        return whole
