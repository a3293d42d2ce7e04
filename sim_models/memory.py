"""The memory port: the program stream that comes in and the stored rows that go out.

Memory answers bursts in order, a burst's first beat `latency` cycles after its address at the
earliest, then up to a beat a cycle; a write's response comes `latency` cycles after its last beat.
`rate` bytes a cycle are granted to each direction, as tokens that a beat costs and of which just
under two beats can be saved up.

A beat of the program goes through the read-ahead memory of StreamReader, that memory's latch and an
output register to RowPacker. Every stage hands on when the next one is free, so that the cycle of a
beat's event is the latest of a few earlier events. The same holds for rows through RowWriter.

All functions work on int64 cycle numbers that count from the start of the program.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from rtl_gen.bus import axi
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError

LATENCY_MIN = 2
LATENCY_MAX = 1_000_000
STALL_STEPS = 256
"""Steps of a stall's probability."""
NOISE_SEED = 1

ISSUE_CYCLES = StreamReader.REQUEST_CYCLES - 1
"""From the transfer of a request to the issue of its first burst."""
AR_CYCLES = 1
"""From the issue of a burst to the transfer of its address; memory is always ready for it."""
# Numba wants plain globals.
BURST_CYCLES = StreamReader.BURST_CYCLES
PACKER_LATENCY = RowPacker.LATENCY
WRITER_LATENCY = RowWriter.LATENCY
BURST_BEATS = axi.BURST_BEATS


@dataclass(frozen=True)
class MemoryTiming:
    """Behaviour of the memory behind the port."""

    latency: int = 100
    """Cycles from a read address to its first beat."""
    rate: int | None = None
    """Bytes a cycle in each direction; None: a beat a cycle."""
    stall: float = 0.0
    """Probability that a channel pauses in a cycle. The pauses are a sample of their own, so that
    only long programs take about as many cycles as in another run."""

    def bytes_a_cycle(self, config: AcceleratorConfig) -> int:
        """`rate`, as far as the port can use it; raises UserError for an impossible memory."""
        if self.latency < LATENCY_MIN:
            raise UserError(
                f"memory latency {self.latency}: expected at least {LATENCY_MIN} cycles"
            )
        if self.latency > LATENCY_MAX:
            raise UserError(
                f"memory latency {self.latency}: expected at most {LATENCY_MAX:,} cycles"
            )
        if not 0 <= self.stall < 1:
            raise UserError(f"memory stall {self.stall}: expected a fraction from 0 to below 1")
        if self.rate is None:
            return config.bus_bytes
        if self.rate < 1:
            raise UserError(f"memory rate {self.rate}: expected at least 1 byte a cycle")
        return min(self.rate, config.bus_bytes)


DEFAULT_MEMORY = MemoryTiming()


class Channel(NamedTuple):
    """A data channel of the port: what its memory grants."""

    state: np.ndarray  # of CHANNEL_STATE, one element
    latency: int
    rate: int
    beat_bytes: int
    stall: int
    """In STALL_STEPS."""


CHANNEL_STATE = np.dtype([("last", np.int64), ("tokens", np.int64), ("noise", np.int64)])
"""Cycle of the last beat, the tokens left behind it, and where the random pauses are."""


class Stream(NamedTuple):
    """The program stream between memory and dispatcher."""

    channel: Channel
    state: np.ndarray  # of STREAM_STATE, one element
    fetched: np.ndarray
    """Cycle in which each of the last `depth` beats left the read-ahead memory."""
    row_beats: int


STREAM_STATE = np.dtype(
    [
        ("beat", np.int64),
        ("address", np.int64),
        ("left", np.int64),
        ("burst_end", np.int64),
        ("issue", np.int64),
        ("due", np.int64),
        ("moved", np.int64),
        ("transferred", np.int64),
        ("taken", np.int64),
    ]
)
"""Next beat; address, in beats, and beats left of what is still to be asked for; end, next possible
issue and first beat's cycle of the last burst; when the last beat moved to the output register and
to the packer, and the last row left that."""


class Writer(NamedTuple):
    """Rows on their way to memory."""

    channel: Channel
    responses: np.ndarray
    """Cycles of the responses of the last ROWS_IN_FLIGHT rows, by row modulo their number."""
    rows: np.ndarray  # one element: rows sent
    row_beats: int


def program_stream(config: AcceleratorConfig, timing: MemoryTiming, address: int) -> Stream:
    """The stream at rest; the first request is for byte `address`."""
    state = np.zeros(1, STREAM_STATE)
    state["address"] = address // config.bus_bytes
    fetched = np.zeros(config.stream_beats, np.int64)
    return Stream(_channel(config, timing), state, fetched, config.row_beats)


def row_writer(config: AcceleratorConfig, timing: MemoryTiming) -> Writer:
    """The writer at rest."""
    responses = np.full(RowWriter.ROWS_IN_FLIGHT, -1, np.int64)
    return Writer(_channel(config, timing), responses, np.zeros(1, np.int64), config.row_beats)


def _channel(config: AcceleratorConfig, timing: MemoryTiming) -> Channel:
    state = np.zeros(1, CHANNEL_STATE)
    state["tokens"] = 2 * config.bus_bytes
    state["noise"] = NOISE_SEED
    rate = timing.bytes_a_cycle(config)
    stall = round(STALL_STEPS * timing.stall)
    return Channel(state, timing.latency, rate, config.bus_bytes, stall)


@njit(cache=True)
def request(stream, accepted, rows):
    """Ask for `rows` more rows; StreamReader takes the request in cycle `accepted`."""
    state = stream.state[0]
    state.left = rows * stream.row_beats
    state.issue = accepted + ISSUE_CYCLES


@njit(cache=True)
def take_row(stream, ready):
    """Cycle in which the next row is taken by who is ready for it from cycle `ready` on."""
    state = stream.state[0]
    depth = len(stream.fetched)
    for beat_of_row in range(stream.row_beats):
        if state.beat == state.burst_end:
            _issue_burst(stream)
        arrived = _pass_beat(stream.channel, state.due)
        fetched = max(arrived + 1, state.moved)
        stream.fetched[state.beat % depth] = fetched
        state.moved = max(fetched + 1, state.transferred)
        state.transferred = state.moved + 1
        if beat_of_row == 0:
            state.transferred = max(state.transferred, state.taken)
        state.beat += 1
    state.taken = max(state.transferred + PACKER_LATENCY, ready)
    return state.taken


@njit(cache=True)
def write_row(writer, offered):
    """Cycle in which the writer takes a row that is offered from cycle `offered` on."""
    channel = writer.channel
    slot = writer.rows[0] % len(writer.responses)
    before = (writer.rows[0] - 1) % len(writer.responses)
    taken = max(offered, channel.state[0].last, writer.responses[slot] + 1)
    address_passed = _after_pauses(channel, taken + WRITER_LATENCY)
    for _ in range(writer.row_beats):
        last = _pass_beat(channel, address_passed)
    response = max(last + channel.latency, writer.responses[before] + 1)
    writer.responses[slot] = _after_pauses(channel, response)
    writer.rows[0] += 1
    return taken


@njit(cache=True)
def written(writer):
    """First cycle in which all rows that the writer took are in memory."""
    return writer.responses.max() + 1


@njit(cache=True)
def _issue_burst(stream):
    """The burst that begins with the next beat: as soon as the read-ahead memory has the room."""
    state = stream.state[0]
    depth = len(stream.fetched)
    size = min(state.left, BURST_BEATS - state.address % BURST_BEATS)
    state.address += size
    state.left -= size
    state.burst_end += size
    if state.burst_end > depth:
        gives_room = stream.fetched[(state.burst_end - 1) % depth]
        state.issue = max(state.issue, gives_room + 1)
    state.issue = _after_pauses(stream.channel, state.issue)
    state.due = state.issue + AR_CYCLES + stream.channel.latency
    state.issue += BURST_CYCLES


@njit(cache=True)
def _pass_beat(channel, earliest):
    """Cycle in which the next beat passes the channel."""
    state = channel.state[0]
    missing = channel.beat_bytes - state.tokens
    cycle = max(earliest, state.last + max(1, -(-missing // channel.rate)))
    cycle = _after_pauses(channel, cycle)
    earned = (cycle - state.last) * channel.rate
    state.tokens = min(state.tokens + earned, 2 * channel.beat_bytes - 1) - channel.beat_bytes
    state.last = cycle
    return cycle


@njit(cache=True)
def _after_pauses(channel, cycle):
    """`cycle`, or later by the channel's random pauses.

    Noise: the linear congruential generator of Numerical Recipes, of which the high bits are used.
    """
    if channel.stall:
        state = channel.state[0]
        stalled = True
        while stalled:
            state.noise = (1664525 * state.noise + 1013904223) % 2**32
            stalled = state.noise * STALL_STEPS // 2**32 < channel.stall
            cycle += stalled
    return cycle
