"""Rooms stay small and units typed: what makes the hardware half a house to live in."""

import ast
from pathlib import Path

FUNCTION_LINES, FILE_LINES = 80, 300
LOOSE_PORTS = 40
"""Single signals in the signatures of all units together: the rest are streams and bundles."""


def test_rooms_are_small():
    for path in Path(__file__).parent.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= FILE_LINES, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < FUNCTION_LINES, f"{path}: {node.name}"


def test_few_ports_are_loose(elaborated):
    _, (_top, *units) = elaborated
    kinds = {type(unit): unit for unit in units}
    loose = [
        f"{kind.__name__}.{name}"
        for kind, unit in kinds.items()
        for name, member in unit.signature.members.items()
        if member.is_port
    ]
    assert len(kinds) > 40
    assert len(loose) <= LOOSE_PORTS, loose
