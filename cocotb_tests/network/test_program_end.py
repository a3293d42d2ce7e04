"""A program's end as the host sees it, on both simulators: no gap in the status, resets that win in
any cycle, and commands that finish before a later one's error shows."""

import numpy as np
import pytest

from cocotb_tests.network.good_program import ProgramMemory
from cocotb_tests.network.run import LEAST_MEMORY
from model.program.memory_image import ImageBuilder
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target
from rtl_gen.presets import get_config

CONFIG = get_config("tiny")
GOOD_CYCLES = 1_255
"""From start to done of the good program, as `reset_in_any_cycle` checks."""
STORE_ADDRESS = LEAST_MEMORY[CONFIG.width] // 2
ROWS = 17


def short_programs() -> dict[ErrorCode, np.ndarray]:
    """One that ends well, and one that does not."""
    good, bad = ImageBuilder(CONFIG), ImageBuilder(CONFIG)
    bad.emit(Opcode.NORM, dim=CONFIG.max_dim)
    return {ErrorCode.NONE: good.finish().data, ErrorCode.NO_TOKENS: bad.finish().data}


def behind_a_store() -> dict[str, tuple[ErrorCode, np.ndarray, bytes]]:
    """Every error of a command behind a STORE; the rows that this takes from the key memory."""
    rows = bytes(range(1, 1 + ROWS * CONFIG.width))
    beyond = {"opcode": Opcode.LOAD, "target": Target.QUERY, "count": ROWS + 1, "barrier": 0}
    cases = {
        "no tokens": (ErrorCode.NO_TOKENS, {"opcode": Opcode.NORM, "dim": CONFIG.max_dim}),
        "nothing to load": (ErrorCode.ILLEGAL_FIELD, beyond | {"count": 0}),
        "beyond a memory": (ErrorCode.COUNT_OUT_OF_RANGE, beyond),
        "no HALT": (ErrorCode.ENDED_EARLY, None),
    }
    programs = {}
    for name, (error, command) in cases.items():
        builder = ImageBuilder(CONFIG)
        builder.load(Target.KEY, rows, barrier=True)
        builder.emit(Opcode.STORE, target=Target.KEY, count=ROWS, address=STORE_ADDRESS)
        if command is not None:
            builder.emit(**command)
        data = builder.finish().data.copy()
        if command is None:
            # The header's last field: the rows behind it, now without those of HALT.
            data[16:20] = np.array([len(data) // CONFIG.width - 8], "<u4").view(np.uint8)
        programs[name] = (error, data, rows)
    return programs


@pytest.mark.parametrize(
    "testcase",
    [
        "status_shows_busy_until_done",
        pytest.param("reset_in_any_cycle", marks=pytest.mark.long("icarus")),
        "start_and_reset_at_once",
        "accepted_commands_finish",
    ],
)
def test_program_end(simulator, testcase, tmp_path):
    memory = ProgramMemory(CONFIG)
    programs = [
        {"name": error.name, "error": error, "address": memory.place(data)}
        for error, data in short_programs().items()
    ]
    accepted = [
        {"name": name, "error": error, "address": memory.place(data)}
        | {"result": STORE_ADDRESS, "bytes": list(rows)}
        for name, (error, data, rows) in behind_a_store().items()
    ]
    fast = simulator == "verilator"
    last = range(GOOD_CYCLES - 40, GOOD_CYCLES + 20, 1 if fast else 4)
    resets = sorted({*range(0, GOOD_CYCLES, 1 if fast else 60), *last})
    followed = sorted({*resets[:: len(resets) // 12], *(last[::6] if fast else last)})
    parameters = {"programs": programs, "accepted": accepted, "resets": resets}
    memory.simulate(
        simulator,
        "program_end",
        testcase,
        tmp_path,
        stalls="fixed",
        followed=followed,
        **parameters,
    )
