"""Tests that reach a line are those that coverage.py has seen there."""

import subprocess

import pytest
from coverage import CoverageData

from cocotb_tests.harness import pytest_run
from cocotb_tests.mutants import reaching
from cocotb_tests.mutants.drawing import ROOT, Drawn
from cocotb_tests.mutants.operators import Mutant
from cocotb_tests.mutants.reaching import BUDGET, Reaching, measure
from cocotb_tests.mutants.tests_of import stages
from rtl_gen.errors import UserError

SOURCE = """
LIMIT = 3

def near(x):
    if x > LIMIT:
        return (x +
                1)
    else:
        return x - 1

def never(x):
    return x
"""

TESTS = """
import pytest
from package.source import near

@pytest.fixture(scope="module")
def low():
    return near(1)

def test_low(low):
    assert low == 0

def test_alike(low):
    pass

@pytest.mark.parametrize("x", [5, 6])
def test_high(x):
    assert near(x) == x + 1
"""

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--long", action="store_true")
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder of sources and tests in place of the project's."""
    for name, text in (("source.py", SOURCE), ("test_source.py", TESTS)):
        path = tmp_path / "package" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    monkeypatch.setattr(reaching, "ROOT", tmp_path)
    monkeypatch.setattr(pytest_run, "ROOT", tmp_path)
    monkeypatch.setattr(reaching, "_MEASURED", ("package",))
    return tmp_path / "package"


def test_a_line_is_reached_by_those_that_run_it(package, tmp_path):
    found = measure(tmp_path / "out", 1)

    def tests(line: int) -> set[str]:
        chosen, seconds = found.tests(package / "source.py", line)
        assert 0 <= seconds < BUDGET
        return {one.removeprefix("package/test_source.py::") for one in chosen}

    high, low = {"test_high[5]", "test_high[6]"}, {"test_low", "test_alike"}
    assert tests(6) == tests(7) == high
    # A fixture's line: whichever test wanted it first, all of its file may depend on it.
    assert tests(5) == tests(9) == high | low
    # Nothing but the import runs these.
    assert tests(2) == tests(4) == tests(12) == high | low
    assert found.tests(package / "test_source.py", 16) == found.tests(package / "source.py", 99)


def test_what_was_measured_is_not_measured_again(package, tmp_path, monkeypatch):
    measure(tmp_path / "out", 1)
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", None)
    measure(tmp_path / "out", 1)
    monkeypatch.setattr(subprocess, "run", run)
    (package / "test_source.py").write_text("def test_it():\n    assert False\n")
    for _ in range(2):
        with pytest.raises(UserError, match="pytest ends with 1 without any mutant"):
            measure(tmp_path / "out", 1)


def test_quick_tests_come_first_and_slow_ones_not_at_all(tmp_path):
    path = tmp_path / "source.py"
    path.write_text("x = 1\ny = 2\n")
    data = CoverageData(str(tmp_path / "lines"))
    seconds = {f"test.py::test_{each}": each for each in (7.0, BUDGET, 3.0, BUDGET - 11)}
    for test in seconds:
        data.set_context(f"{test}|run")
        data.add_lines({str(path): [1]})
    chosen, total = Reaching(data, seconds).tests(path, 1)
    assert chosen == [f"test.py::test_{each}" for each in (3.0, 7.0, BUDGET - 11)]
    assert total == BUDGET - 1
    # One runs in any case.
    slow = "test.py::test_slow"
    assert Reaching(data, {}).tests(path, 1)[1] == len(seconds)
    data.set_context(f"{slow}|run")
    data.add_lines({str(path): [2]})
    assert Reaching(data, {slow: 2 * BUDGET}).tests(path, 2) == ([slow], 2 * BUDGET)


def test_mutants_of_python_are_judged_by_what_reaches_them(tmp_path):
    path = ROOT / "sim_models" / "macs.py"
    data = CoverageData(str(tmp_path / "lines"))
    data.set_context("sim_models/test_network.py::test_it[a::b]|run")
    data.add_lines({str(path): [1]})
    known = Reaching(data, {"sim_models/test_network.py::test_it[a::b]": 2.0})
    drawn = Drawn("sim_models.macs", 0, Mutant(1, "", "", ""))
    stage, runs = stages(drawn, known)
    assert runs.name == "cycles"
    assert stage.words == (f"{ROOT}/sim_models/test_network.py::test_it[a::b]", "--long")
    assert stage.files() == {ROOT / "sim_models" / "test_network.py"}
    assert (stage.name, stage.seconds) == ("reaching", 38)
    assert stages(Drawn("sim_models.memory", 0, drawn.mutant), known) == [runs]
    assert stages(Drawn("sim_models.choose.search", 0, drawn.mutant), known) == []
    assert [stage.name for stage in stages(drawn)] == ["package", "cycles"]
