"""Programs counted by hand from the documented latencies, and the memory port at its limits."""

import numpy as np
import pytest

from model.program.memory_image import ImageBuilder
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.core.cluster import Cluster
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import Destination, Source, record_rows
from rtl_gen.interfaces.targets import Target
from rtl_gen.linear.engine import LinearEngine
from rtl_gen.linear.tile_walker import TileWalker
from rtl_gen.linear.weight_buffer import parameter_rows
from rtl_gen.presets import get_config
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.transfer.row_storer import RowStorer
from sim_models.memory import MemoryTiming
from sim_models.program import ProgramCycles, program_cycles

DEFAULT, TINY = get_config("default"), get_config("tiny")
LATENCY = 30
MEMORY = MemoryTiming(LATENCY)


def run(config: AcceleratorConfig, *commands: dict, memory: MemoryTiming = MEMORY) -> ProgramCycles:
    return program_cycles(config, [*commands, {"opcode": Opcode.HALT}], [], memory)


def linear(tiles: int, slices: int) -> dict:
    return {"opcode": Opcode.LINEAR, "tiles": tiles, "slices": slices}


def load(rows: int, barrier: int = 0, target: Target = Target.HIDDEN) -> dict:
    return {"opcode": Opcode.LOAD, "target": target, "count": rows, "barrier": barrier}


def tokens(count: int) -> dict:
    return {"opcode": Opcode.SET_TOKENS, "count": count}


@pytest.mark.parametrize("config", [DEFAULT, TINY], ids=["default", "tiny"])
def test_halt_waits_twice_for_memory(config):
    """Header, then the program's first row, each through the whole read path."""
    request_to_row = (
        StreamReader.REQUEST_CYCLES + LATENCY + StreamReader.DATA_CYCLES + RowPacker.LATENCY
    )
    record_beats = record_rows(config) * config.row_beats
    # One cycle from start to the header's request; a record's other beats follow its first one; one
    # cycle to look at the header, one to ask for the program; HALT ends behind its check.
    header = 1 + request_to_row + record_beats - 1
    halt = header + 2 + request_to_row + record_beats - 1 + 1 + Dispatcher.CHECK_CYCLES
    assert run(config).counters["cycles"] == halt
    assert run(config).counters["rows_read"] == 2 * record_rows(config)


def test_stored_rows_are_read_one_by_one_and_answered_last():
    rows = 5
    store = {"opcode": Opcode.STORE, "count": rows}
    idle, stored = run(DEFAULT), run(DEFAULT, store)
    assert stored.counters["store_cycles"] == rows * RowStorer.READ_CYCLES + 1
    # Its unit starts behind its check; the end waits for the last response.
    last_row = stored.ends[0] - 1
    answered = last_row + RowWriter.LATENCY + LATENCY + 1
    assert stored.counters["cycles"] == answered + Cluster.IDLE_CYCLES
    assert stored.starts[0] == idle.counters["cycles"] + 1


def test_linear_layer_streams_tokens_through_every_tile():
    program = run(DEFAULT, tokens(197), linear(3, 4))
    first_tile = parameter_rows(DEFAULT) + DEFAULT.lanes
    lead = TileWalker.LATENCY
    stalls = program.counters["weight_stalls"]
    work = 12 * 197
    assert program.counters["linear_beats"] == work
    drain = LinearEngine.drain_cycles(DEFAULT)
    assert program.counters["linear_cycles"] == lead + stalls + work + drain
    assert 0 <= stalls <= first_tile


def test_few_tokens_wait_for_weights():
    tiles, slices = 10, 3
    program = run(DEFAULT, tokens(1), linear(tiles, slices))
    rows = tiles * (parameter_rows(DEFAULT) + slices * DEFAULT.lanes)
    waiting_for_rows = rows - tiles * slices * TileWalker.MIN_PASS
    assert program.counters["weight_stalls"] >= waiting_for_rows - DEFAULT.lanes
    assert program.counters["linear_beats"] == tiles * slices


def test_payload_loads_behind_the_command_before():
    masks = {"target": Target.MASK}
    alone = run(DEFAULT, tokens(197), linear(3, 4)).counters
    both = run(DEFAULT, tokens(197), linear(3, 4), load(8, **masks), linear(3, 4)).counters
    assert both["linear_cycles"] == 2 * alone["linear_cycles"] - alone["weight_stalls"]
    program = run(DEFAULT, tokens(197), linear(3, 4), load(8, **masks))
    assert program.starts[2] < program.ends[1]


@pytest.mark.parametrize("fields", [{"barrier": 1, "target": Target.MASK}, {"barrier": 0}])
def test_load_waits_if_told_or_if_others_write_its_memory(fields):
    program = run(DEFAULT, tokens(197), linear(3, 4), load(8, **fields))
    assert program.starts[2] == program.ends[1] + Cluster.IDLE_CYCLES + 1


def test_gelu_row_takes_a_cycle_an_entry():
    rows = 256 // DEFAULT.width
    assert run(DEFAULT, load(rows, target=Target.GELU)).counters["load_cycles"] > 256
    assert run(DEFAULT, load(rows)).counters["load_cycles"] < 2 * rows + StreamReader.BURST_CYCLES


@pytest.mark.parametrize("rate", [1, 2, 4])
def test_long_load_runs_at_the_rate_of_memory(rate):
    rows = 10_000
    memory = MemoryTiming(LATENCY, rate)
    cycles = run(TINY, load(rows), memory=memory).counters["cycles"]
    bound = rows * TINY.width / rate
    assert bound <= cycles < 1.01 * bound


@pytest.mark.parametrize("stall", [0.1, 0.5, 0.75])
def test_random_pauses_are_as_frequent_as_asked_for(stall):
    """A beat waits stall / (1 - stall) cycles on average where every cycle may be a pause."""
    rows = 40_000
    free, paused = (
        run(TINY, load(rows), memory=MemoryTiming(LATENCY, stall=share)).counters["cycles"]
        for share in (0, stall)
    )
    beats = rows * TINY.row_beats
    assert (paused - free) / beats == pytest.approx(stall / (1 - stall), rel=0.05)


def test_latency_beyond_the_read_ahead_costs_bandwidth():
    rows, latency = 10_000, 2 * DEFAULT.stream_beats
    near, far = (
        run(DEFAULT, load(rows), memory=MemoryTiming(cycles)).counters["cycles"]
        for cycles in (DEFAULT.stream_beats // 2, latency)
    )
    assert near < 1.1 * rows
    assert far > rows * latency / DEFAULT.stream_beats


def test_barrier_commands_follow_each_other():
    program = run(TINY, tokens(3), tokens(5), {"opcode": Opcode.PRUNE, "count": 2})
    assert (program.starts[1:3] > program.ends[:2]).all()
    assert program.ends[0] - program.starts[0] == LiveTokens.fill_latency(TINY)


def test_commands_of_an_image_give_its_rows():
    builder = ImageBuilder(TINY)
    builder.emit(Opcode.SET_TOKENS, count=9)
    builder.load(Target.HIDDEN, bytes(50), barrier=True)
    rows = 2 * (parameter_rows(TINY) + 3 * TINY.lanes)
    builder.emit(
        Opcode.LINEAR,
        bytes(rows * TINY.width),
        source=Source.HIDDEN,
        destination=Destination.QKV,
        tiles=2,
        slices=3,
    )
    image = builder.finish()
    counters = program_cycles(TINY, image.commands, [], MemoryTiming()).counters
    assert counters["rows_read"] == len(image.data) / TINY.width


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        (MemoryTiming(latency=1), "memory latency 1: expected at least 2"),
        (MemoryTiming(rate=0), "memory rate 0: expected at least 1"),
    ],
)
def test_impossible_memory_is_refused(memory, message):
    with pytest.raises(UserError, match=message):
        run(DEFAULT, memory=memory)


def test_attend_takes_its_own_beats():
    heads = [np.full(4, 3), np.full(4, 2)]
    commands = [tokens(4), *[{"opcode": Opcode.ATTEND}] * 2, {"opcode": Opcode.HALT}]
    counters = program_cycles(TINY, commands, heads, MemoryTiming()).counters
    assert counters["qk_beats"] == counters["pv_beats"] == 20
