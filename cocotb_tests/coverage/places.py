"""Where statements stand that Amaranth's library makes for its users.

Amaranth gives an assignment to a view, `connect` and `m.next` a place within itself. For coverage
it has to be the line that asked for them.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import amaranth
from amaranth import tracer
from amaranth.hdl._ast import Statement
from amaranth.hdl._dsl import FSMNextStatement

_LIBRARY = str(Path(amaranth.__file__).parent)


@contextmanager
def places_of_callers() -> Iterator[None]:
    """What the block makes is where the first line outside of Amaranth says so."""
    with (
        patch.object(tracer, "get_src_loc", _place),
        patch.object(FSMNextStatement, "resolve", _resolved),
    ):
        yield


def _place(src_loc_at: int = 0) -> tuple[str, int]:
    """As Amaranth's own, from its depth on upwards."""
    frame = sys._getframe(2 + src_loc_at)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARY):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


_resolve = FSMNextStatement.resolve


def _resolved(statement: FSMNextStatement) -> Statement:
    """When a module is complete, `m.next` becomes an assignment, which is there all the same."""
    assignment = _resolve(statement)
    assignment.src_loc = statement.src_loc
    return assignment
