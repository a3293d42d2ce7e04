"""Every counter of the accelerator for a program, equal to the RTL from start to done.

The dispatcher takes the program stream in order, so that the cycle in which a command starts its
unit is the latest of: its record is decoded, its unit is free, and, where it waits, everything is
idle. From there, commands with `busy_cycles` in their record take that; of the others,

    ATTEND                    sim_models/attention.py
    LOAD                      takes its rows as they come
    LINEAR                    a pass starts when the one before has streamed its tokens and the
                              weight buffer is full; that refills from the start of a pass on
    STORE                     sends a row when it is read and the writer takes it

sim_models/memory.py says when rows come and go. Data do not matter, but for the tokens that survive
a pruning, which decide the beats of the ATTENDs behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from numba import njit

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import COMMANDS, Opcode
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.core.cluster import Cluster
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import check_memory_bytes, record_rows
from rtl_gen.interfaces.targets import transfers
from rtl_gen.linear.engine import LinearEngine
from rtl_gen.linear.tile_walker import TileWalker
from rtl_gen.linear.weight_buffer import parameter_rows
from rtl_gen.transfer.row_storer import RowStorer
from sim_models.attention import attend_cycles
from sim_models.memory import (
    MemoryTiming,
    Stream,
    Writer,
    program_stream,
    request,
    row_writer,
    take_row,
    write_row,
    written,
)

UNIT, LOAD, LINEAR, STORE, HALT = range(5)
"""What a step does behind its record: a unit works for `cycles`, or as named."""

# Numba wants plain globals.
CHECK_CYCLES = Dispatcher.CHECK_CYCLES
IDLE_CYCLES = Cluster.IDLE_CYCLES
WALKER_LATENCY = TileWalker.LATENCY
READ_CYCLES = RowStorer.READ_CYCLES

STEP = np.dtype(
    [
        ("kind", np.int64),
        ("waits", np.bool_),
        ("cycles", np.int64),
        ("rows", np.int64),
        ("tiles", np.int64),
        ("slices", np.int64),
        ("tokens", np.int64),
        ("span", np.int64),
    ]
)
"""A command as it matters to time. `cycles`: those in which its unit is busy, or those that the
loader spends on a row; `rows`: to load or store; `span`: cycles of a pass over `tokens`."""

RESULT = np.dtype([("start", np.int64), ("end", np.int64), ("stalls", np.int64)])
"""First cycle in which a command's unit is busy, the first in which it no longer is, and in how
many of them a linear layer waits for weights."""


@dataclass(frozen=True)
class ProgramCycles:
    """What the counters read after a program, and when each of its commands ran."""

    counters: dict[str, int]
    starts: np.ndarray
    """First cycle after the start of the program in which the unit of each command is busy."""
    ends: np.ndarray
    """First cycle in which it no longer is."""


def program_cycles(
    config: AcceleratorConfig,
    commands: Sequence[Mapping],
    beats: Sequence[np.ndarray],
    memory: MemoryTiming,
    *,
    program_address: int = 0,
) -> ProgramCycles:
    """Run `commands`, fields by name as in a program; `beats` holds the beats of each ATTEND:
    (cores, rows), or (rows,) if they are those of all cores.

    Raises:
        UserError: a memory that cannot be, a program that addresses cannot reach, or beats of other
            heads, tokens or cores than the program's.
    """
    steps, attend_beats = _steps(config, commands, beats)
    stream = program_stream(config, memory, program_address)
    writer = row_writer(config, memory)
    sizes = Sizes(
        record_rows=record_rows(config),
        parameter_rows=parameter_rows(config),
        lanes=config.lanes,
        drain=LinearEngine.drain_cycles(config),
    )
    program_rows = sizes.record_rows * len(steps) + int(_payload_rows(sizes, steps).sum())
    stored_rows = int(steps["rows"][steps["kind"] == STORE].sum())
    rows_read = sizes.record_rows + program_rows
    check_memory_bytes(program_address + (rows_read + stored_rows) * config.width)
    results = np.zeros(len(steps), RESULT)
    total = _run(sizes, stream, writer, program_rows, steps, results)

    busy = dict.fromkeys((record.unit for record in COMMANDS if record.unit), 0)
    for command, cycles in zip(commands, results["end"] - results["start"], strict=True):
        if unit := COMMANDS[command["opcode"]].unit:
            busy[unit] += int(cycles)
    counters = {
        **{f"{unit}_cycles": cycles for unit, cycles in busy.items()},
        "cycles": int(total),
        "linear_beats": config.cores
        * int((steps["tiles"] * steps["slices"] * steps["tokens"]).sum()),
        "qk_beats": attend_beats,
        "pv_beats": attend_beats,
        "weight_stalls": int(results["stalls"].sum()),
        "rows_read": rows_read,
        "rows_written": stored_rows,
    }
    assert counters.keys() == Accelerator.COUNTERS.keys()
    return ProgramCycles(counters, results["start"], results["end"])


class Sizes(NamedTuple):
    """Of the configuration."""

    record_rows: int
    parameter_rows: int
    lanes: int
    drain: int
    """Cycles of a linear layer behind its last step."""


def _steps(
    config: AcceleratorConfig, commands: Sequence[Mapping], beats: Sequence[np.ndarray]
) -> tuple[np.ndarray, int]:
    """The commands as an array of STEP, and the beats of QK^T in all.

    What a head takes is what the slowest core takes for it.
    """
    heads = sum(command["opcode"] == Opcode.ATTEND for command in commands)
    if len(beats) != heads:
        raise UserError(f"beats of {len(beats)} heads: the program has {heads}")
    rows_of_heads = iter(beats)
    steps, targets = np.zeros(len(commands), STEP), transfers(config)
    tokens = live = attend_beats = 0
    for command, step in zip(commands, steps, strict=True):
        record = COMMANDS[command["opcode"]]
        fields = SimpleNamespace(**dict.fromkeys(record.fields, 0) | dict(command))
        step["waits"] = record.waits is None or record.waits(config, fields)
        if record.sets_tokens:
            tokens = live = fields.count
        if record.busy_cycles is not None:
            step["cycles"] = record.busy_cycles(config, fields, tokens, live)
        match command["opcode"]:
            case Opcode.LOAD:
                step["kind"], step["rows"] = LOAD, fields.count
                step["cycles"] = targets[fields.target].words_per_row
            case Opcode.LINEAR:
                working_on = 1 if fields.only_cls else live
                step["kind"], step["tokens"] = LINEAR, working_on
                step["tiles"], step["slices"] = fields.tiles, fields.slices
                step["span"] = max(working_on, TileWalker.MIN_PASS)
            case Opcode.ATTEND:
                cores = _beats_of_cores(config, next(rows_of_heads), live)
                step["cycles"] = max(attend_cycles(config, rows).total for rows in cores)
                attend_beats += int(np.sum(cores)) * config.cores // len(cores)
            case Opcode.PRUNE:
                live = min(live, fields.count)
            case Opcode.STORE:
                step["kind"], step["rows"] = STORE, fields.count
            case Opcode.HALT:
                step["kind"] = HALT
    return steps, attend_beats


def _beats_of_cores(config: AcceleratorConfig, beats: np.ndarray, live: int) -> np.ndarray:
    """Beats (cores, live) of a head, or (1, live) if they are the same on all cores."""
    if beats.shape not in ((live,), (config.cores, live)):
        given = f"{len(beats)} rows" if beats.ndim == 1 else f"shape {beats.shape}"
        raise UserError(
            f"beats of {given} for a head of {live} live tokens: expected a number for each, on "
            f"all or on each of {config.cores} cores"
        )
    return np.atleast_2d(beats)


def _payload_rows(sizes: Sizes, steps: np.ndarray) -> np.ndarray:
    loads = np.where(steps["kind"] == LOAD, steps["rows"], 0)
    return loads + steps["tiles"] * (sizes.parameter_rows + steps["slices"] * sizes.lanes)


@njit(cache=True)
def _run(sizes: Sizes, stream: Stream, writer: Writer, program_rows, steps, results):
    """Fills `results`; returns the cycle of done. Cycle 0 is that of the start."""
    request(stream, 1, sizes.record_rows)
    now = _take_record(sizes, stream, 2) + 2
    request(stream, now, program_rows)
    now += 1

    others_idle = loader_idle = linear_idle = last_take = 0
    for index in range(len(steps)):
        step, result = steps[index], results[index]
        start = _take_record(sizes, stream, now) + 1 + CHECK_CYCLES
        if step.waits:
            idle = max(others_idle, loader_idle, linear_idle, written(writer))
            start = max(start, idle + IDLE_CYCLES)
        # What follows counts from the cycle in which the unit first is at work.
        start += 1
        now = start
        if step.kind == HALT:
            return start - 1
        if step.kind == LOAD:
            end = start
            for _ in range(step.rows):
                end = take_row(stream, end) + step.cycles
            loader_idle = end + 1
            now = loader_idle + 1
            result.start, result.end = start, loader_idle
        elif step.kind == LINEAR:
            # Accepted later if a layer waits already, but its payload waits for that one's passes.
            linear_started = max(start, linear_idle, others_idle + IDLE_CYCLES)
            now, last_take, result.stalls = _passes(
                sizes, stream, step, start, linear_started, last_take
            )
            linear_idle = last_take + max(step.span, step.tokens + sizes.drain + 1)
            result.start, result.end = linear_started + 1, linear_idle
        elif step.kind == STORE:
            others_idle = _store(writer, step.rows, start)
            result.start, result.end = start, others_idle
        else:
            others_idle = start + step.cycles
            result.start, result.end = start, others_idle
    return 0


@njit(cache=True)
def _take_record(sizes, stream, ready):
    """Cycle in which the last row of a record is taken."""
    for _ in range(sizes.record_rows):
        taken = take_row(stream, ready)
        ready = taken + 1
    return taken


@njit(cache=True)
def _passes(sizes, stream, step, ready, started, last_take):
    """Payload and passes of a linear layer.

    (first cycle for the next command, cycle in which the last pass takes its weights, stalls)
    """
    pass_arrives = started + WALKER_LATENCY
    stalls = 0
    for _ in range(step.tiles):
        rows = sizes.parameter_rows + sizes.lanes
        for _ in range(step.slices):
            ready = max(ready, last_take)
            for _ in range(rows):
                ready = take_row(stream, ready) + 1
            last_take = max(pass_arrives, ready)
            stalls += last_take - pass_arrives
            pass_arrives = last_take + step.span
            rows = sizes.lanes
    return ready + 1, last_take, stalls


@njit(cache=True)
def _store(writer, rows, start):
    """First cycle in which the storer is idle again."""
    offered = start + READ_CYCLES
    idle = start
    for _ in range(rows):
        offered = max(offered, idle + 1)
        idle = write_row(writer, offered) + 1
        offered += READ_CYCLES
    return idle
