"""Which tests notice a mutant, if any."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cocotb_tests.mutants.drawing import Drawn
from cocotb_tests.mutants.forked import FAILED, status_of
from cocotb_tests.mutants.reaching import Reaching
from cocotb_tests.mutants.tests_of import Stage, stages
from model.files.finished_rows import FinishedRows, key_of

SURVIVES = "none"


def noticed_by(drawn: Drawn, tests: Sequence[Stage]) -> str:
    """The first stage of tests of which one fails, or SURVIVES."""
    for stage in tests:
        found = status_of(drawn.module, drawn.mutant.text, stage.words, stage.seconds)
        if found == FAILED:
            return stage.name
    return SURVIVES


class Judged:
    """Mutants and who noticed them, in a journal.

    A module whose text changed is judged anew, and a survivor when a file of its tests did, or by
    `long` tests, too.
    """

    def __init__(self, path: Path, reaching: Reaching | None = None, *, long: bool = False):
        self._rows, self._reaching, self._long = FinishedRows(path), reaching, long

    def noticed_by(self, drawn: Drawn) -> str:
        """As the function, but what was judged before is not judged again."""
        tests = stages(drawn, self._reaching, long=self._long)
        mutant = {"module": drawn.module, "text": drawn.mutant.text}
        dead, alive = key_of(mutant), key_of(mutant | {"tests": _digest(tests), "long": self._long})
        row = self._rows.get(dead) or self._rows.get(alive)
        if row is None:
            by = noticed_by(drawn, tests)
            place = {"module": drawn.module, "line": drawn.mutant.line}
            key = alive if by == SURVIVES else dead
            row = self._rows.add(key, place | {"noticed_by": by})
        return row["noticed_by"]


def _digest(tests: Sequence[Stage]) -> str:
    """SHA-256 of the files that the tests stand in."""
    found = hashlib.sha256()
    for path in sorted({path for stage in tests for path in stage.files()}):
        found.update(path.read_bytes())
    return found.hexdigest()
