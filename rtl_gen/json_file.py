"""JSON files that runs leave: indented, UTF-8, floats as they read back the same, written whole."""

import json
from pathlib import Path

from rtl_gen.files import replace_file


def json_text(content: object) -> str:
    """The text of a file."""
    return json.dumps(content, indent=2) + "\n"


def write_json(path: Path, content: object) -> None:
    """Make `path` hold `content`, whole or not at all.

    Raises:
        UserError: `path` cannot be written.
    """
    with replace_file(path) as file:
        file.write(json_text(content).encode())
