"""A small share of the fuzzing, and that it would notice: `sparse-vit fuzz` goes on."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cocotb_tests.control.commands import build_program
from cocotb_tests.fuzz import attempts, samples, software
from cocotb_tests.fuzz.attempts import Attempt, Ending, Node, judge
from cocotb_tests.fuzz.cases import Behaviour, Case, Splice
from cocotb_tests.fuzz.hardware import run_cases, smallest
from cocotb_tests.fuzz.kinds import BATCHES, CORES, KINDS, RESPONSES, TURN, draw_case
from cocotb_tests.fuzz.programs import CONFIG, FREE, RECORD, SLOT, good
from cocotb_tests.fuzz.software import run_round
from cocotb_tests.fuzz.targets import TARGETS
from model.commands import attention
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target

SEED = 1
FEW = {"verilator": 39, "icarus": 5}
"""Cases of one simulation."""
ATTEMPTS = 50


@pytest.mark.parametrize(
    ("cores", "count"),
    [
        pytest.param(1, FEW, id="1"),
        pytest.param(1, BATCHES, id="1-batch", marks=pytest.mark.long),
        pytest.param(2, FEW, id="2", marks=pytest.mark.long),
    ],
)
def test_damaged_programs_end(simulator, cores, count):
    first = CORES.index(cores) * TURN
    numbers = range(first, first + count[simulator])
    cases = [draw_case(SEED, number) for number in numbers]
    assert {case.config.cores for case in cases} == {cores}
    outcomes = run_cases(cases, simulator)
    assert [outcome for outcome in outcomes if outcome.problem] == []
    assert [outcome.number for outcome in outcomes] == list(numbers)
    assert {outcome.kind for outcome in outcomes} == set(list(KINDS)[: len(numbers)])


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_input_is_refused(target):
    ended: Counter = Counter()
    findings = list(run_round(target, SEED, 0, ATTEMPTS, ended))
    assert [f"{finding.attempt!r}: {finding.problem}" for finding in findings] == []
    assert ended["refused"]


def test_cases_follow_from_their_numbers():
    assert draw_case(3, 17) == draw_case(3, 17)
    assert draw_case(3, 17) != draw_case(4, 17)


def test_attempts_follow_from_their_round(monkeypatch):
    drawn: list[str] = []

    def judge_all_right(attempt: Attempt) -> tuple[Ending, None]:
        drawn.append(repr(attempt))
        return Ending(0, "", "", {}), None

    monkeypatch.setattr(software, "judge", judge_all_right)
    for from_seed, number in ((3, 5), (3, 5), (3, 6), (4, 5)):
        assert list(run_round("schedules", from_seed, number, 10, Counter())) == []
    assert drawn[:10] == drawn[10:20]
    assert drawn[:10] != drawn[20:30] != drawn[30:]


@pytest.mark.parametrize(
    ("commands", "codes", "stores"),
    [
        ([{"opcode": Opcode.HALT}], {"NONE"}, []),
        ([], {"ENDED_EARLY"}, []),
        ([{"opcode": 9}], {"ILLEGAL_OPCODE"}, []),
        ([{"opcode": Opcode.NORM, "dim": 4}], {"NO_TOKENS"}, []),
        ([{"opcode": Opcode.SET_TOKENS, "count": 18}], {"COUNT_OUT_OF_RANGE"}, []),
        ([{"opcode": Opcode.LOAD, "target": Target.GELU, "count": 33}], {"COUNT_OUT_OF_RANGE"}, []),
        ([{"opcode": Opcode.LOAD, "target": Target.LIVE, "count": 1}], {"ILLEGAL_FIELD"}, []),
        (
            [
                {"opcode": Opcode.STORE, "target": Target.KEY, "count": 2, "address": 0x3_0000},
                {"opcode": Opcode.HALT},
            ],
            {"NONE"},
            [range(0x3_0000, 0x3_0010)],
        ),
        (
            [
                {"opcode": Opcode.STORE, "target": Target.KEY, "count": 2, "address": 0xF_FFF8},
                {"opcode": Opcode.HALT},
            ],
            {"WRITE_FAILED"},
            [range(0xF_FFF8, 0x10_0008)],
        ),
    ],
)
def test_foresight(commands, codes, stores):
    foreseen = Case(0, "", build_program(CONFIG, *commands)).foresee()
    assert {code.name for code in foreseen.codes} == codes
    assert foreseen.stores == stores


def test_a_wrong_foresight_is_noticed_and_shrunk(monkeypatch):
    """As a dispatcher would be that lets a bad command pass: the case fails, its cause is found."""
    opcode = Splice(RECORD, 1, bytes([max(Opcode) + 1]))
    harmless = [Splice(RECORD + at, 1, b"\0") for at in (1, 2, 1)]
    case = Case(7, "bits", good(CONFIG).data.tobytes(), (*harmless[:2], opcode, *harmless[2:]))
    (outcome,) = run_cases([case], "verilator")
    assert (outcome.ended, outcome.problem) == ("ILLEGAL_OPCODE", None)
    foresee = Case.foresee
    monkeypatch.setattr(
        Case, "foresee", lambda self: replace(foresee(self), codes={ErrorCode.NONE})
    )
    (outcome,) = run_cases([case], "verilator")
    assert outcome.problem == "ended in ILLEGAL_OPCODE: expected NONE"
    small, alone = smallest(case, "verilator")
    assert alone
    assert small.splices == (opcode,)


def test_a_write_astray_is_noticed(monkeypatch):
    """As a STORE would be that writes elsewhere: here the bench does not know of it."""
    stored = {"opcode": Opcode.STORE, "target": Target.KEY, "count": 1, "address": 0x3_0000}
    case = Case(0, "legal", build_program(CONFIG, stored, {"opcode": Opcode.HALT}))
    assert run_cases([case], "verilator")[0].problem is None
    foresee = Case.foresee
    monkeypatch.setattr(Case, "foresee", lambda self: replace(foresee(self), stores=[]))
    (outcome,) = run_cases([case], "verilator")
    assert outcome.problem == f"up to it, {CONFIG.width} bytes written from 0x30000 on"


@pytest.mark.parametrize("beat", range(CONFIG.row_beats))
def test_faults_reach_the_program(beat):
    """On any beat of a row, with any response but OKAY."""
    first, size = beat * CONFIG.bus_bytes, CONFIG.bus_bytes
    stored = {"opcode": Opcode.STORE, "target": Target.KEY, "count": 1, "address": FREE}
    program = build_program(CONFIG, stored, {"opcode": Opcode.HALT})
    cases = [
        Case(number, "faults", program, behaviour=Behaviour(faults=faults, response=response))
        for number, (faults, response) in enumerate(
            (range(place + first, place + first + size), response)
            for place in (SLOT + RECORD, FREE)
            for response in RESPONSES
        )
    ]
    outcomes = run_cases(cases, "verilator")
    assert [outcome.problem for outcome in outcomes] == [None] * 6
    assert [outcome.ended for outcome in outcomes] == ["READ_FAILED"] * 3 + ["WRITE_FAILED"] * 3


def test_verdicts(monkeypatch):
    """Each kind of wrong end is noticed."""
    words = ("inspect-mask", "{masks.npy}")
    good = Attempt(words, {"masks.npy": samples.masks()})
    ending, problem = judge(good)
    assert (ending.status, problem) == (0, None)
    assert judge(Attempt(words, {"masks.npy": b""}))[1] is None
    same = Attempt(words, {"masks.npy": samples.array(~samples.dropped())}, same_as=good)
    assert "expected 0" in judge(same)[1]

    def fail(*_: object) -> None:
        raise KeyError("descr")

    def hang(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(attention, "read_masks", fail)
    assert "KeyError" in judge(good)[1]
    monkeypatch.setattr(attention, "read_masks", hang)
    monkeypatch.setattr(attempts, "LIMIT_SECONDS", 1)
    assert "no end within 1 s" in judge(good)[1]


def test_a_bar_of_progress_is_no_message_and_hides_none():
    bar = "points ━━━━ 3/4"
    assert Ending(0, "", f"{bar}\n", {}).problem() is None
    assert Ending(2, "", f"{bar}\nerror: found '━'\n", {}).problem() is None
    assert Ending(2, "", f"{bar}\n", {}).problem() == "status 2 and 0 error lines []"


def test_a_replaced_device_is_noticed(monkeypatch):
    """Commands that write over what is no file."""

    def replace_anything(path: Path, _: object) -> None:
        path.unlink()
        path.write_bytes(b"")

    monkeypatch.setattr(attention, "write_masks", replace_anything)
    words = ("masks", "--model", "vit_digits", "--sparsity", "0.5", "--out", "{pipe.npy}")
    problem = judge(Attempt(words, {"pipe.npy": Node.FIFO}))[1]
    assert problem == f"replaced: pipe.npy, {Node.FIFO.value}"
