"""Every way to stop a program early, and that the accelerator works after each, on both simulators.

A whole network of one layer tells whether anything was left behind: its logits depend on every
unit. It runs after the first program of every error code and after those that had got far.
"""

import pytest

from cocotb_tests.network.bench_errors import MEMORIES
from cocotb_tests.network.good_program import ProgramMemory
from cocotb_tests.network.refused_programs import CONFIG, all_programs
from rtl_gen.interfaces.program import ErrorCode


@pytest.mark.parametrize(
    "testcase",
    [
        pytest.param("refuses_and_goes_on", marks=pytest.mark.long("icarus")),
        "start_while_busy",
        "soft_reset",
    ],
)
def test_errors(simulator, testcase, tmp_path):
    """On every kind of memory; on Icarus on one, which takes as long."""
    memory, known, programs = ProgramMemory(CONFIG), set(), []
    for program in all_programs():
        recovers = program.recovers or program.error not in known
        known.add(program.error)
        place = {"name": program.name, "address": memory.place(program.data, program.address)}
        programs.append(place | {"error": program.error, "recovers": recovers})
    assert known == set(ErrorCode) - {ErrorCode.BAD_PARITY}
    memories = list(MEMORIES) if simulator == "verilator" else ["random"]
    memory.simulate(
        simulator,
        "errors",
        testcase,
        tmp_path,
        stalls="random",
        memories=memories,
        programs=programs,
    )
