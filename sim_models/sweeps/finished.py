"""Evaluated points beside the output, so that a sweep can go on after a stop.

A line of the journal holds the point's key, the version of the code and what `evaluate` gave.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.files.journal import Journal


class FinishedPoints:
    """Results by key; only those of the same `code` count."""

    def __init__(self, path: Path, code: str):
        self._journal, self._code = Journal(path), code
        self.results: dict[str, Any] = {
            entry["key"]: entry["result"]
            for entry in self._journal.entries
            if entry.get("code") == code
            and isinstance(entry.get("key"), str)
            and isinstance(entry.get("result"), dict)
        }

    def add(self, results: Mapping[str, Any]) -> None:
        """Keep results; they are in the file when this returns."""
        self._journal.append(
            *({"key": key, "code": self._code, "result": found} for key, found in results.items())
        )
        self.results.update(results)
