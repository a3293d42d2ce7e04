"""Tables of the documents are those of memory plan, presets, command table and error codes."""

from pathlib import Path

import pytest

from rtl_gen.emit.tables import command_table, memory_table, preset_table
from rtl_gen.interfaces.program import ErrorCode

DOCUMENTS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("table", [memory_table, preset_table, command_table])
def test_architecture_shows(table):
    message = "docs/architecture.md: print the table with python -m rtl_gen.emit.tables"
    assert table() in (DOCUMENTS / "architecture.md").read_text(), message


def test_every_error_code_is_explained():
    lines = (DOCUMENTS / "errors.md").read_text().splitlines()
    rows = [
        tuple(line.split(" | ")[:2])
        for line in lines
        if line.startswith("| ") and line[2].isdigit()
    ]
    named = {(f"| {int(code)}", code.name) for code in ErrorCode if code}
    assert set(rows) == named
