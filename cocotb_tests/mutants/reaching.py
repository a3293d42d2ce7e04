"""Which tests reach a line of the golden model, the compiler or the cycle model.

All tests of these packages run once, without a mutant, and coverage.py keeps for every line which
of them reached it (pytest-cov, a context a test). A mutant is then judged by these tests alone, the
quick ones first.
"""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from coverage import CoverageData

from cocotb_tests.harness.pytest_run import run_pytest
from cocotb_tests.mutants.drawing import HARDWARE, PACKAGES, ROOT
from rtl_gen.errors import UserError
from rtl_gen.files import make_folder

BUDGET = 60.0
"""Seconds that the tests of one mutant took without it, added up: slower ones are left out."""

_MEASURED = tuple(package for package in PACKAGES if package != HARDWARE)
_UNKNOWN = 1.0
"""Seconds of a test whose time was not written down."""


class Reaching:
    """The tests that reach a line, by their node ids.

    Args:
        data: Lines and their contexts, `<node id>|<setup, run or teardown>`.
        seconds: How long each test took, by node id.
    """

    def __init__(self, data: CoverageData, seconds: dict[str, float]):
        self._data, self._seconds = data, seconds
        self._by_file: dict[str, set[str]] = {}
        for test in seconds:
            self._by_file.setdefault(_file(test), set()).add(test)

    def tests(self, path: Path, line: int) -> tuple[list[str], float]:
        """Of a line of the file `path`: tests, quick ones first, and their seconds in all.

        A statement that no test runs, because an import does, is reached by all that reach the
        file. What a fixture runs is reached by all tests of the file of tests that wanted it first.
        """
        by_line = self._data.contexts_by_lineno(str(path))
        lines = _statement(path.read_text(), line)
        found = self._of(context for each in lines for context in by_line.get(each, ()))
        found = found or self._of(context for each in by_line.values() for context in each)
        chosen, total = [], 0.0
        for test in sorted(found, key=lambda test: (self._time(test), test)):
            if chosen and total + self._time(test) > BUDGET:
                break
            chosen.append(test)
            total += self._time(test)
        return chosen, total

    def _of(self, contexts: Iterable[str]) -> set[str]:
        found = set()
        for context in set(contexts) - {""}:
            test, _, phase = context.rpartition("|")
            found |= {test} if phase == "run" else self._by_file.get(_file(test), {test})
        return found

    def _time(self, test: str) -> float:
        return self._seconds.get(test, _UNKNOWN)


def measure(folder: Path, workers: int) -> Reaching:
    """What reaches what in the sources as they are; measured once, its files lie in `folder`.

    Raises:
        UserError: a test fails without any mutant.
    """
    name = f"reaching-{_digest()[:16]}"
    lines, times = folder / f"{name}.sqlite", folder / f"{name}.xml"
    if not (lines.exists() and times.exists()):
        make_folder(folder)
        _run_tests(lines, times, workers)
    data = CoverageData(str(lines))
    data.read()
    return Reaching(data, _seconds(times))


def _run_tests(lines: Path, times: Path, workers: int) -> None:
    part = times.with_suffix(".part")
    words = ["--cov-context=test", "--cov-report=", f"--junitxml={part.resolve()}"]
    words += [f"--cov={package}" for package in _MEASURED]
    status = run_pytest(
        [*words, *_MEASURED],
        workers=workers,
        environment={"COVERAGE_FILE": str(lines.resolve())},
    )
    if status:
        raise UserError(f"pytest ends with {status} without any mutant: mend its tests")
    part.rename(times)


def _digest() -> str:
    """Of the sources of the measured packages, tests among them."""
    found = hashlib.sha256()
    for path in sorted(path for package in _MEASURED for path in (ROOT / package).rglob("*.py")):
        found.update(f"{path.relative_to(ROOT)}\n{path.read_text()}\n".encode())
    return found.hexdigest()


def _seconds(report: Path) -> dict[str, float]:
    """Of every test in a report of pytest's, by node id."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.attrib["classname"].replace(".", "/") + ".py"
        found[f"{file}::{case.attrib['name']}"] = float(case.attrib["time"])
    return found


def _file(test: str) -> str:
    return test.partition("::")[0]


def _statement(text: str, line: int) -> range:
    """Lines of the smallest statement at a line; of one that holds others, its head alone."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            inner = getattr(node, "body", None)
            end = inner[0].lineno if inner else node.end_lineno + 1
            own = range(node.lineno, max(end, node.lineno + 1))
            found = own if line in own else found
    return found
