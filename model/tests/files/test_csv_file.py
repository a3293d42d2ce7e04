"""CSV files: floats that read back the same or in a named format, whole or not at all."""

from pathlib import Path

import pandas as pd
import pytest

from model.files.csv_file import DIGITS, PLACES, csv_bytes, write_csv
from rtl_gen.errors import UserError

FRAME = pd.DataFrame({"name": ["a", "b"], "value": [0.1 + 0.2, 1234567.0]})


def test_floats():
    assert csv_bytes(FRAME) == b"name,value\na,0.30000000000000004\nb,1234567.0\n"
    assert csv_bytes(FRAME, PLACES) == b"name,value\na,0.3000\nb,1234567.0000\n"
    assert csv_bytes(FRAME, DIGITS) == b"name,value\na,0.3\nb,1.23457e+06\n"


def test_a_file(tmp_path: Path):
    write_csv(tmp_path / "new" / "table.csv", FRAME)
    assert (tmp_path / "new" / "table.csv").read_bytes() == csv_bytes(FRAME)
    with pytest.raises(UserError, match="it is a folder"):
        write_csv(tmp_path / "new", FRAME)
