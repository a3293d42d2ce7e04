"""Rooms stay small and units typed: what makes the hardware half a house to live in."""

import ast
from pathlib import Path

from amaranth.hdl import Fragment
from amaranth.lib import wiring

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import get_config

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


def test_few_ports_are_loose(monkeypatch):
    units: dict[type, wiring.Component] = {}
    create = wiring.Component.__init__

    def create_and_note(self, *arguments):
        create(self, *arguments)
        units[type(self)] = self

    monkeypatch.setattr(wiring.Component, "__init__", create_and_note)
    Fragment.get(Accelerator(get_config("tiny")), None)
    loose = [
        f"{unit.__name__}.{name}"
        for unit, made in units.items()
        if unit is not Accelerator
        for name, member in made.signature.members.items()
        if member.is_port
    ]
    assert len(units) > 40
    assert len(loose) <= LOOSE_PORTS, loose
