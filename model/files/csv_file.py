"""CSV files that runs leave: names, then a line a row, each ended by a line feed; written whole."""

from pathlib import Path

import pandas as pd

from rtl_gen.files import replace_file

PLACES = "%.4f"
"""Floats of a known size, such as percentages and decibels."""

DIGITS = "%.6g"
"""Floats of any size that were measured, such as losses."""


def csv_bytes(frame: pd.DataFrame, floats: str | None = None) -> bytes:
    """The contents of a file; floats by a format, or as they read back the same."""
    return frame.to_csv(index=False, float_format=floats, lineterminator="\n").encode()


def write_csv(path: Path, frame: pd.DataFrame, floats: str | None = None) -> None:
    """Make `path` hold a frame, whole or not at all.

    Raises:
        UserError: `path` cannot be written.
    """
    with replace_file(path) as file:
        file.write(csv_bytes(frame, floats))
