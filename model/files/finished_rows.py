"""Rows that were found before, in a journal.

Each line holds `key`, the SHA-256 of everything that decides on the row, and what was found.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.files.journal import Journal


def key_of(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings that JSON holds, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class FinishedRows:
    """The rows of one file by key; `add` appends."""

    def __init__(self, path: Path):
        self._journal = Journal(path)
        self._rows = {row["key"]: row for row in self._journal.entries if "key" in row}

    def get(self, key: str) -> dict[str, Any] | None:
        return self._rows.get(key)

    def add(self, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
        whole = {"key": key, **row}
        self._journal.append(whole)
        self._rows[key] = whole
        return whole
