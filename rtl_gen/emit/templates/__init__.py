"""Texts of the files beside the Verilog; `@{name}` stands for what the configuration says."""

import re
from collections.abc import Mapping
from importlib.resources import files


def filled(name: str, values: Mapping[str, object]) -> str:
    """The template `name` with its values; KeyError for one that is missing."""
    text = files(__name__).joinpath(name).read_text()
    return re.sub(r"@\{(\w+)\}", lambda place: str(values[place[1]]), text)
