"""Programs are sampled for what they did, and nothing else is."""

import json
from collections import Counter

import pytest

from cocotb_tests.control.commands import build_program
from cocotb_tests.coverage.bins import all_bins, read_bins
from cocotb_tests.coverage.programs import Whole, count_program, pace
from cocotb_tests.harness.runner import BINS_FILE, RUN_FILE_VARIABLE
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.presets import get_config

CONFIG = get_config("tiny")
HALT = {"opcode": Opcode.HALT}
NONE = ErrorCode.NONE


def count(program: bytes, error: ErrorCode = NONE, stalls: str = "none") -> None:
    count_program(CONFIG, Whole(program, size=len(program)), 0, error, stalls)


@pytest.fixture
def sampled(tmp_path, monkeypatch):
    """What a program adds to the bins of this process."""
    monkeypatch.setenv(RUN_FILE_VARIABLE, str(tmp_path / "run.json"))
    (tmp_path / "run.json").write_text(json.dumps({"counts_bins": True}))
    path = tmp_path / BINS_FILE

    def counts() -> Counter[str]:
        count(build_program(CONFIG, HALT))
        return read_bins(path)

    def run(program: bytes, error: ErrorCode = NONE, stalls: str = "none") -> Counter[str]:
        before = counts()
        count(program, error, stalls)
        added = counts()
        added.subtract(before + Counter(["work: HALT, none, all, none", "ends: HALT, NONE, none"]))
        return +added

    return run


def tokens(count: int) -> dict[str, int]:
    return {"opcode": Opcode.SET_TOKENS, "count": count}


def prune(count: int, prefix: int) -> dict[str, int]:
    return {"opcode": Opcode.PRUNE, "count": count, "prefix": prefix}


def test_commands_are_sampled_with_what_is_live(sampled):
    """Few up to a half of 17, a prefix where nothing is chosen."""
    most = CONFIG.max_tokens
    pruned = [prune(most, 0), prune(9, 0), prune(8, 8), prune(1, 0)]
    program = build_program(CONFIG, tokens(most), *pruned, HALT)
    assert sampled(program, stalls="random") == Counter(
        [
            "work: SET_TOKENS, full, all, random",
            "work: PRUNE, full, all, random",
            "work: PRUNE, many, some, random",
            "work: PRUNE, few, prefix, random",
            "work: PRUNE, one, some, random",
            "work: HALT, one, some, random",
            "ends: HALT, NONE, random",
        ]
    )


def test_the_command_that_is_refused_did_no_work(sampled):
    program = build_program(CONFIG, tokens(2), tokens(0), HALT)
    assert sampled(program, ErrorCode.COUNT_OUT_OF_RANGE) == Counter(
        ["work: SET_TOKENS, few, all, none", "ends: SET_TOKENS, COUNT_OUT_OF_RANGE, none"]
    )
    header = build_program(CONFIG, HALT, magic=0)
    assert sampled(header, ErrorCode.BAD_MAGIC) == Counter(["ends: header, BAD_MAGIC, none"])
    unknown = build_program(CONFIG, {"opcode": 77})
    ended = Counter(["ends: unknown, ILLEGAL_OPCODE, none"])
    assert sampled(unknown, ErrorCode.ILLEGAL_OPCODE) == ended


def test_an_end_that_the_text_does_not_tell_is_left_out(sampled):
    assert sampled(build_program(CONFIG, HALT), ErrorCode.READ_FAILED) == Counter()


def test_nothing_is_sampled_where_coverage_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.setenv(RUN_FILE_VARIABLE, str(tmp_path / "run.json"))
    (tmp_path / "run.json").write_text(json.dumps({"counts_bins": False}))
    count(build_program(CONFIG, HALT))
    assert not (tmp_path / BINS_FILE).exists()


def test_bins_are_crosses():
    bins = all_bins()
    assert len(bins) == 9 * 5 * 3 * 3 + 11 * len(ErrorCode) * 3
    assert not any(bins.values())


@pytest.mark.parametrize(
    ("memory", "word"),
    [
        ((2, None, 0), "none"),
        ((3, None, 0), "fixed"),
        ((2, 1, 0), "fixed"),
        ((2, 1, 0.1), "random"),
    ],
)
def test_a_memory_has_one_word(memory, word):
    assert pace(*memory) == word
