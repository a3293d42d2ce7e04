"""The command on counts that tests would leave: what it writes, and when it fails."""

import json
from collections import Counter

import pytest

from cocotb_tests.coverage import command
from cocotb_tests.coverage.counts import Counts
from cocotb_tests.coverage.explained import Explained
from cocotb_tests.coverage.points import Point
from rtl_gen.errors import UserError

REACHED, MISSED = (Point("rtl_gen/pruning/topk.py", 1, word) for word in ("taken", "not taken"))
ELSEWHERE = Point("rtl_gen/norm/norm_factor.py", 1)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command with counts in place of tests."""

    def run_with(unit: str | None, *, missed: int = 0, fails: bool = False) -> dict:
        def tests(folders, out, workers) -> bool:
            assert [folder.name for folder in folders].count(unit) == 1
            assert workers == 1
            Counts(Counter({REACHED: 3, MISSED: missed, ELSEWHERE: 0})).add_to(out, "topk")
            return fails

        monkeypatch.setattr(command, "_run_tests", tests)
        return command.coverage(unit=unit, out=tmp_path)

    return run_with


def test_of_a_unit_only_its_sources_count(run, tmp_path, capsys):
    share = {"all": 2, "covered": 2, "explained": 0}
    none = dict.fromkeys(share, 0)
    contents = run("pruning", missed=1)
    assert contents["units"] == {REACHED.file: {"lines": none, "branches": share}}
    assert json.loads((tmp_path / command.FILE).read_text()) == contents
    assert "BRDA:1,0,0,1\nBRDA:1,0,1,3\n" in (tmp_path / command.LCOV).read_text()
    assert "pruning.topk" in capsys.readouterr().out


def test_what_is_missed_is_listed_and_an_error(run, tmp_path, capsys):
    with pytest.raises(UserError, match="1 are neither covered nor explained"):
        run("pruning")
    assert str(MISSED) in capsys.readouterr().out
    assert json.loads((tmp_path / command.FILE).read_text())["units"]


def test_tests_that_fail_are_an_error(run):
    with pytest.raises(UserError, match="tests fail"):
        run("pruning", missed=1, fails=True)


def test_a_stale_reason_is_an_error(run, monkeypatch):
    reason = {"file": REACHED.file, "text": "", "reason": "it is never taken"}
    monkeypatch.setattr(Explained, "read", lambda: Explained(lines=[reason]))
    with pytest.raises(
        UserError, match=r"explained, but covered or gone: rtl_gen/pruning/topk\.py"
    ):
        run("pruning", missed=1)


def test_counts_of_an_earlier_run_are_gone(run, tmp_path):
    run("pruning", missed=1)
    run("pruning", missed=1)
    assert Counts.in_folder(tmp_path).points[REACHED] == 3


def test_another_folder_is_refused(run):
    with pytest.raises(UserError, match="no folder of benches 'fuzz': expected one of array, "):
        run("fuzz")


def test_programs_are_of_the_network(run):
    with pytest.raises(UserError, match="are neither covered nor explained"):
        run("network")
