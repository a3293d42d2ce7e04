"""Evaluated points beside the output: an append-only file, so that a sweep can go on after a stop.

A line is a JSON object with the point's key, the version of the code and what `evaluate` gave. A
line cut short by a stop is left out when the file is read and ended when it is written again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from rtl_gen.errors import UserError


class FinishedPoints:
    """Results by key; only those of the same `code` count.

    Raises:
        UserError: a file that cannot be read or written.
    """

    def __init__(self, path: Path, code: str):
        self._path, self._code = path, code
        self._file: BinaryIO | None = None
        self.results: dict[str, Any] = {}

    def __enter__(self) -> "FinishedPoints":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            text = self._path.read_bytes() if self._path.exists() else b""
            self._file = self._path.open("ab")
        except OSError as error:
            raise UserError(
                f"cannot write to {self._path} ({error.strerror}): choose another place"
            ) from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                key, code, result = entry["key"], entry["code"], entry["result"]
            except (ValueError, KeyError, TypeError):
                continue
            if code == self._code:
                self.results[key] = result
        if text and not text.endswith(b"\n"):
            self._file.write(b"\n")
        return self

    def add(self, results: Mapping[str, Any]) -> None:
        """Keep results; they are in the file when this returns."""
        for key, result in results.items():
            line = json.dumps({"key": key, "code": self._code, "result": result})
            self._file.write(line.encode() + b"\n")
        self._file.flush()
        self.results.update(results)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
