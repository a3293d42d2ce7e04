"""Which tests notice a mutant, if any."""

from pathlib import Path

from cocotb_tests.mutants.drawing import Drawn
from cocotb_tests.mutants.forked import FAILED, status_of
from cocotb_tests.mutants.tests_of import stages
from model.files.finished_rows import FinishedRows, key_of

SURVIVES = "none"


def noticed_by(drawn: Drawn) -> str:
    """The first stage of tests of which one fails, or SURVIVES."""
    for stage in stages(drawn.module):
        found = status_of(drawn.module, drawn.mutant.text, stage.words, stage.seconds)
        if found == FAILED:
            return stage.name
    return SURVIVES


class Judged:
    """Mutants and who noticed them, in a journal; a module whose text changed is judged anew."""

    def __init__(self, path: Path):
        self._rows = FinishedRows(path)

    def noticed_by(self, drawn: Drawn) -> str:
        """As the function, but what was judged before is not judged again."""
        key = key_of({"module": drawn.module, "text": drawn.mutant.text})
        row = self._rows.get(key)
        if row is None:
            place = {"module": drawn.module, "line": drawn.mutant.line}
            row = self._rows.add(key, place | {"noticed_by": noticed_by(drawn)})
        return row["noticed_by"]
