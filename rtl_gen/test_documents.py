"""Tables of the documents are those of memory plan, presets and command table."""

from pathlib import Path

import pytest

from rtl_gen.emit.tables import command_table, memory_table, preset_table

DOCUMENT = Path(__file__).parents[1] / "docs" / "architecture.md"


@pytest.mark.parametrize("table", [memory_table, preset_table, command_table])
def test_architecture_shows(table):
    message = "docs/architecture.md: print the table with python -m rtl_gen.emit.tables"
    assert table() in DOCUMENT.read_text(), message
