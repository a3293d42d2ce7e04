"""The harness passes what is right and fails, loudly, what is wrong - on both simulators."""

import shutil

import pytest

from cocotb_tests.harness import runner
from cocotb_tests.harness.compare import COMPARISONS_VARIABLE
from cocotb_tests.harness.echo import Echo
from cocotb_tests.harness.runner import SimulationError, simulate
from cocotb_tests.harness.units import run_unit
from rtl_gen.emit.verilog import Design
from rtl_gen.errors import UserError


def run(simulator: str, testcase: str, **parameters):
    given = {"seed": 3, "items": 2, "source_pauses": 0, "sink_pauses": 0} | parameters
    return run_unit(simulator, Echo(), testcase=testcase, **given)


@pytest.mark.parametrize(("source_pauses", "sink_pauses"), [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3)])
def test_items_pass_with_stalls(simulator, source_pauses, sink_pauses):
    result = run(
        simulator, "items_pass", items=40, source_pauses=source_pauses, sink_pauses=sink_pauses
    )
    assert result.tests == 1
    assert result.values["word"], "memories must not start as zeros"
    if source_pauses == sink_pauses == 0:
        assert result.values["cycles"] == 3 * 40


def test_comparisons_are_counted(simulator, monkeypatch, tmp_path):
    """Of `items_pass`: the items that came, those that were recorded, and a cycle."""
    monkeypatch.setenv(COMPARISONS_VARIABLE, str(tmp_path / "compared"))
    run(simulator, "items_pass", items=5)
    assert (tmp_path / "compared").read_text().split() == ["5", "5", "1"]


def test_a_long_run_tells_its_cycles(simulator, monkeypatch):
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.01)
    told: list[int] = []
    result = simulate(
        Echo(),
        name="echo",
        simulator=simulator,
        bench="cocotb_tests.harness.bench_echo",
        testcase="long",
        progress=told.append,
    )
    assert sum(told) == result.values["told"]


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("no", False),
        ("0", False),
        pytest.param("True", True, marks=pytest.mark.long("verilator")),
    ],
)
def test_the_environment_switches_waves(simulator, monkeypatch, word, wanted):
    monkeypatch.setenv("WAVES", word)
    waves = run(simulator, "items_pass").waves
    assert (waves is not None) == wanted
    assert not wanted or waves.stat().st_size


def test_other_words_for_waves_are_refused(simulator, monkeypatch):
    monkeypatch.setenv("WAVES", "maybe")
    with pytest.raises(UserError, match="WAVES=maybe: expected one of 1, yes"):
        simulate(Design("echo", "", {}), simulator=simulator, bench="bench_echo")


def test_a_full_disk_is_told(simulator, monkeypatch):
    """Whatever the simulator says of it."""
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4096))
    with pytest.raises(UserError, match="no room for a simulation in"):
        run(simulator, "missing_item")


@pytest.mark.parametrize(
    ("testcase", "message"),
    [
        ("wrong_expectation", r"token\[0\]: expected 6, actual 5 \(1 of 1 elements differ\)"),
        ("forbidden_token", "(?s)prematurely.*forbidden token"),
        ("missing_item", "Timeout"),
        ("too_long", "still runs after 50 cycles"),
        ("no_such_test", "no test"),
    ],
)
def test_failure_is_reported(simulator, testcase, message):
    with pytest.raises(SimulationError, match=message):
        run(simulator, testcase)
