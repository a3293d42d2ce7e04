"""What is not reached is reported by its line; reasons are held against what was counted."""

from collections import Counter
from pathlib import Path

import pytest

from cocotb_tests.coverage.collector import Collector
from cocotb_tests.coverage.counts import Counts
from cocotb_tests.coverage.explained import BinReason, Explained, LineReason, judge
from cocotb_tests.coverage.points import Point
from cocotb_tests.coverage.probes import emit_with_probes
from cocotb_tests.coverage.report import Report
from cocotb_tests.harness import echo, runner
from cocotb_tests.harness.runner import SimulationError
from cocotb_tests.harness.units import run_unit
from rtl_gen.errors import UserError

SOURCES = Path(echo.__file__).parent
ROOT = SOURCES.parent


def at(text: str, branch: str = "") -> Point:
    """A line of the Echo."""
    lines = Path(echo.__file__).read_text().splitlines()
    (line,) = [number for number, one in enumerate(lines, 1) if one.strip() == text]
    return Point("harness/echo.py", line, branch)


WRITE, OFFER, READ = (f'with m.State("{name}"):' for name in ("WRITE", "OFFER", "READ"))


@pytest.fixture
def echo_covered(monkeypatch, tmp_path):
    """What a test of the Echo's bench covers of it."""

    def run(testcase: str, simulator: str = "verilator", **parameters) -> Counts:
        monkeypatch.setattr(runner, "coverage", Collector(tmp_path, SOURCES))
        given = {"seed": 3, "items": 2, "source_pauses": 0, "sink_pauses": 0} | parameters
        run_unit(simulator, echo.Echo(), testcase=testcase, **given)
        return Counts.in_folder(tmp_path)

    return run


@pytest.mark.long
def test_what_is_not_reached_is_reported(echo_covered, tmp_path):
    """Nothing enters, then something does: counts of two runs are added, that of a failure, too."""
    with pytest.raises(SimulationError, match="Timeout"):
        echo_covered("missing_item")
    counts = Counts.in_folder(tmp_path)
    missed = {point for point, count in counts.points.items() if not count}
    assert missed >= {at("m.d.comb += write.en.eq(1)"), at(READ, "entered"), at(OFFER, "entered")}
    assert not missed & {at("m.d.comb += self.source.ready.eq(1)"), at(WRITE, "entered")}
    valid = at("with m.If(self.source.valid):", "taken")
    assert missed >= {valid}
    assert counts.points[valid._replace(branch="not taken")] > 40
    later = echo_covered("items_pass", items=5)
    never_waits = at("with m.If(self.sink.ready):", "not taken")
    assert [point for point, count in later.points.items() if not count] == [never_waits]
    assert later.points[valid] == later.points[at(READ, "entered")] == 5


def test_icarus_counts_nothing(echo_covered):
    """It runs the same design, and would look as if it reached none of it."""
    assert not echo_covered("items_pass", "icarus").points


def test_a_run_that_leaves_nothing_covers_nothing(tmp_path):
    """Also what Verilator finds to be never so is there."""
    source = tmp_path / "echo.sv"
    source.write_text(emit_with_probes(echo.Echo(), "echo", SOURCES).text)
    counts = Counts.of_run(source, tmp_path / "no.dat", tmp_path / "no.xml")
    assert set(counts.points) >= {at(WRITE, "entered"), at("m.d.comb += write.en.eq(1)")}
    assert not any(counts.points.values())


LINE = Point("harness/echo.py", at("m.d.comb += write.en.eq(1)").line)
REACHED = Counter({LINE: 0, at(WRITE, "entered"): 7})
HOLE, SAMPLED = "ends: header, NO_TOKENS, none", "ends: HALT, NONE, none"
COUNTS = Counts(REACHED, Counter({HOLE: 0, SAMPLED: 3}))


def line_reason(**others: str) -> Explained:
    given = {"file": LINE.file, "text": "write.en", "reason": "no write"} | others
    return Explained(lines=[LineReason(**given)])


def bin_reason(pattern: str) -> Explained:
    return Explained(bins=[BinReason(bins=pattern, reason="no such command")])


def test_what_is_explained_is_not_open():
    assert judge(COUNTS, Explained(), ROOT, whole=True).open == [LINE, HOLE]
    line = judge(COUNTS, line_reason(), ROOT, whole=True)
    assert (line.open, line.stale, line.reasons) == ([HOLE], [], {LINE: "no write"})
    bins = judge(COUNTS, bin_reason("ends: header, NO_.*"), ROOT, whole=True)
    assert (bins.open, bins.stale, bins.reasons) == ([LINE], [], {HOLE: "no such command"})


@pytest.mark.parametrize(
    ("explained", "always"),
    [
        pytest.param(line_reason(text=WRITE), True, id="covered line"),
        pytest.param(line_reason(branch="taken"), False, id="no such branch"),
        pytest.param(line_reason(text="not there"), False, id="no such text"),
        pytest.param(line_reason(file="harness/gone.py"), False, id="no such file"),
        pytest.param(bin_reason("ends: HALT.*"), True, id="sampled bin"),
        pytest.param(bin_reason("ends: .*"), True, id="a sampled bin among others"),
        pytest.param(bin_reason("nothing"), False, id="no such bin"),
    ],
)
def test_an_explanation_of_nothing_is_an_error(explained, always):
    """What only another folder's benches may meet is one only when all have run."""
    assert judge(COUNTS, explained, ROOT, whole=True).stale
    assert bool(judge(COUNTS, explained, ROOT, whole=False).stale) == always


@pytest.mark.parametrize("text", ["lines: 3", "- x", "bins: [{bins: x}]", "lines: [", "more: []"])
def test_a_file_without_reasons_is_refused(tmp_path, text):
    path = tmp_path / "explained.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"explained\.yaml: expected lines and bins"):
        Explained.read(path)


def test_the_report_counts_what_is_covered_and_what_is_explained():
    report = Report(COUNTS, judge(COUNTS, line_reason(), ROOT, whole=True), ROOT)
    contents = report.contents()
    assert contents["units"][LINE.file] == {
        "lines": {"all": 1, "covered": 0, "explained": 1},
        "branches": {"all": 1, "covered": 1, "explained": 0},
    }
    assert contents["open"] == report.open_lines() == [HOLE]
    assert contents["explained"] == {f"{LINE}: m.d.comb += write.en.eq(1)": "no write"}
    state = at(WRITE, "entered").line
    assert report.lcov().splitlines() == [
        "TN:",
        f"SF:{echo.__file__}",
        f"BRDA:{state},0,0,7",
        f"DA:{LINE.line},0",
        "end_of_record",
    ]


def test_counts_are_added_in_a_folder(tmp_path):
    for design in ("one", "one", "other"):
        COUNTS.add_to(tmp_path, design)
    total = Counts.in_folder(tmp_path)
    assert total.points == Counter({LINE: 0, at(WRITE, "entered"): 21})
    assert total.bins == Counter({HOLE: 0, SAMPLED: 9})
