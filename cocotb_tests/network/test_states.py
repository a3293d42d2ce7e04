"""Every command on few and many live tokens, behind every kind of pruning, on every kind of memory.

The data do not matter: counters are as predicted, and no program ends with an error.
"""

import numpy as np
import pytest

from cocotb_tests.network.run import MemoryModel, run_programs
from model.program.memory_image import Image, ImageBuilder
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import Destination, ErrorCode, Source
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.linear.weight_buffer import parameter_rows
from rtl_gen.presets import get_config
from sim_models.program import program_cycles

CONFIG = get_config("tiny")
STORE_ADDRESS = 1 << 19
UNSCALED = {"multiplier": 1, "shift": 1}
STATES = {
    "no tokens": (0,),
    "one": (1,),
    "few": (5,),
    "many": (12,),
    "full": (17,),
    "chosen one": (5, 1, 0),
    "first": (5, 1, 1),
    "chosen few": (9, 4, 1),
    "first few": (9, 4, 4),
    "chosen many": (17, 12, 2),
    "first many": (17, 12, 12),
}
"""Tokens of SET_TOKENS, and count and prefix of a PRUNE behind it."""


def program(tokens: int, kept: int | None = None, prefix: int = 0) -> Image:
    """Every command that may run on so many tokens."""
    builder, live = ImageBuilder(CONFIG), tokens if kept is None else kept
    mask = transfers(CONFIG)[Target.MASK].rows
    if tokens:
        builder.emit(Opcode.SET_TOKENS, count=tokens)
    if kept is not None:
        builder.emit(Opcode.PRUNE, count=kept, prefix=prefix)
    builder.load(Target.MASK, bytes(mask * CONFIG.width), barrier=True)
    builder.emit(Opcode.STORE, target=Target.HIDDEN, count=3, address=STORE_ADDRESS)
    if tokens:
        rows = bytes((parameter_rows(CONFIG) + CONFIG.lanes) * CONFIG.width)
        places = {"source": Source.HIDDEN, "destination": Destination.QKV}
        builder.emit(Opcode.LINEAR, rows, slices=1, tiles=1, **places)
        builder.emit(Opcode.NORM, dim=CONFIG.max_dim, scale_a=UNSCALED, scale_b=UNSCALED)
        builder.emit(Opcode.ATTEND, accumulate=1, scale_a=UNSCALED, scale_b=UNSCALED)
        builder.emit(Opcode.PRUNE, count=live, prefix=prefix)
        builder.emit(Opcode.POOL, dim=1, scale_a=UNSCALED)
    return builder.finish()


@pytest.mark.parametrize(
    "memory",
    [MemoryModel(latency=2), MemoryModel(latency=9, rate=3), MemoryModel(latency=5, stall=0.2)],
    ids=["fast", "slow", "stalls"],
)
def test_every_command_in_every_state(simulator, memory):
    images = [program(*state) for state in STATES.values()]
    pairs = [(image, image.data) for image in images]
    runs = run_programs(CONFIG, pairs, simulator=simulator, memory=memory)
    for (name, state), image, run in zip(STATES.items(), images, runs, strict=True):
        assert run.error == ErrorCode.NONE, name
        live = state[1] if len(state) > 1 else state[0]
        empty_rows = [np.ones(live, np.int64)] if live else []
        if not memory.stall:
            predicted = program_cycles(CONFIG, image.commands, empty_rows, memory).counters
            assert predicted == run.counters, name
