"""Dispatcher: takes header, commands and payload off the program stream and keeps the units busy in
order.

Every command is checked before it is handed on. One that cannot run, one that could not be read or
the end of the stream without HALT ends the program as HALT does, behind what was handed on before.
A payload that could not be read or that is missing stops the program at once, since its unit would
wait for ever, and so does a row that memory did not take. In any case the units are cleared,
`error` says why, and the next start begins afresh.

What is read ahead behind HALT does not matter, be it readable or not.

A command costs RECORD + CHECK_CYCLES cycles (RECORD: rows of a record) before its unit may start,
hidden wherever the unit before it still runs.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.attention.attention import head_layout
from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.control.range_check import RangeCheck
from rtl_gen.interfaces.program import (
    ADDRESS_BITS,
    HEADER,
    MAGIC,
    VERSION,
    Destination,
    ErrorCode,
    command_layout,
    record_rows,
)
from rtl_gen.interfaces.targets import row_count_bits, transfers
from rtl_gen.linear.command import LINEAR
from rtl_gen.norm.layer_norm import norm_command_layout
from rtl_gen.transfer.row_loader import transfer_layout
from rtl_gen.transfer.row_storer import store_layout


class State(enum.Enum):
    """What the dispatcher is doing."""

    IDLE = 0
    FETCH_HEADER = 1
    HEADER = 2
    FETCH_PROGRAM = 3
    COMMAND = 4
    CHECK = 5
    DISPATCH = 6
    PAYLOAD = 7
    END = 8


def fetch_layout() -> StructLayout:
    """`rows` rows of the program from `address` on."""
    return StructLayout({"address": unsigned(ADDRESS_BITS), "rows": unsigned(32)})


def head_place_layout(config: AcceleratorConfig) -> StructLayout:
    """Where a head's output goes: row token * pitch + first of the hidden memory."""
    return StructLayout(
        {"pitch": unsigned(config.slice_bits), "first": unsigned(row_count_bits(config))}
    )


class Dispatcher(wiring.Component):
    """
    Attributes
    ----------
    start, program_address : runs a program; only while not busy
    busy : a program runs
    error : how it ended, from the cycle on in which busy falls; stays until the next start
    clear : high for the cycle after a program's last: the units and the stream forget what they
        were doing
    fetch, rows : the program stream
    row_lost : the row on `rows` could not be read
    write_failed : memory did not take a row
    all_idle : no unit is busy, nothing is on its way to memory
    fill, load, linear, norm, attend, prune, store : commands for the units
    head_place : for ATTEND
    tokens : length of the sequence
    loader_rows, loader_idle, linear_rows, linear_feeding : payload
    """

    CHECK_CYCLES = RangeCheck.LATENCY

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        row = stream.Signature(unsigned(config.row_bits))
        super().__init__(
            {
                "start": In(1),
                "program_address": In(ADDRESS_BITS),
                "busy": Out(1),
                "error": Out(ErrorCode),
                "clear": Out(1),
                "fetch": Out(stream.Signature(fetch_layout())),
                "rows": In(row),
                "row_lost": In(1),
                "write_failed": In(1),
                "all_idle": In(1),
                "fill": Out(stream.Signature(unsigned(config.count_bits))),
                "load": Out(stream.Signature(transfer_layout(config))),
                "linear": Out(LINEAR.signature(config)),
                "norm": Out(stream.Signature(norm_command_layout(config))),
                "attend": Out(stream.Signature(head_layout())),
                "head_place": Out(head_place_layout(config)),
                "prune": Out(stream.Signature(unsigned(config.count_bits))),
                "store": Out(stream.Signature(store_layout(config))),
                "count": In(config.count_bits),
                "tokens": Out(config.count_bits),
                "loader_rows": Out(row),
                "loader_idle": In(1),
                "linear_rows": Out(row),
                "linear_feeding": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        per_record = record_rows(config)

        record = Signal(per_record * config.row_bits, reset_less=True)
        row_of_record = Signal(range(per_record + 1))
        rows_left = Signal(32)
        rows_ended = Signal()
        take_record = Signal()
        taken, taken_lost = Signal(), Signal()
        header = Signal(HEADER)
        command = Signal(command_layout(config))
        m.d.comb += [
            header.as_value().eq(record),
            command.as_value().eq(record),
            taken.eq(self.rows.valid & self.rows.ready),
            taken_lost.eq(taken & self.row_lost),
        ]
        with m.If(taken):
            m.d.sync += [rows_left.eq(rows_left - 1), rows_ended.eq(rows_left == 1)]
        with m.If(taken & take_record):
            m.d.sync += [
                record.eq(Cat(record, self.rows.payload)[config.row_bits :]),
                row_of_record.eq(row_of_record + 1),
            ]

        units = self._commands(m, command)
        # A record is complete a cycle before anything asks for what is registered here.
        is_op = {
            op: register(m, command.opcode == op, name=f"is_{op.name.lower()}") for op in Opcode
        }
        waits = register(
            m,
            (command.opcode != Opcode.LINEAR) & ((command.opcode != Opcode.LOAD) | command.barrier),
            name="waits",
        )
        start_error, header_error = Signal(ErrorCode), Signal(ErrorCode)
        command_error = Signal(ErrorCode)
        room = Signal(signed(ADDRESS_BITS + 1), reset_less=True)
        m.d.sync += [
            command_error.eq(self._command_error(command)),
            header_error.eq(self._header_error(header, room)),
            self.clear.eq(0),
        ]
        unit_ready = reduce(or_, (unit.ready & is_op[op] for op, unit in units.items()))
        may_start = self.all_idle | ~waits
        m.submodules.range_check = range_check = RangeCheck(config)
        last_token = Signal(config.token_bits, reset_less=True)
        m.d.comb += [
            range_check.command.eq(command),
            range_check.last_token.eq(last_token),
        ]
        failure, end_error = Signal(ErrorCode), Signal(ErrorCode)
        state = Signal(State)

        def stop(error):
            """End the program in this cycle, whatever the units do."""
            m.d.comb += failure.eq(error)

        def end(error):
            """End the program when the units are idle."""
            m.d.sync += [end_error.eq(error), state.eq(State.END)]

        with m.Switch(state):
            with m.Case(State.IDLE), m.If(self.start):
                m.d.sync += [
                    self.fetch.payload.address.eq(self.program_address),
                    self.fetch.payload.rows.eq(per_record),
                    rows_left.eq(per_record),
                    rows_ended.eq(0),
                    row_of_record.eq(0),
                    self.busy.eq(1),
                    self.error.eq(ErrorCode.NONE),
                    self.tokens.eq(0),
                    room.eq(self._room(self.program_address)),
                    start_error.eq(self._start_error(self.program_address)),
                ]
                m.d.sync += state.eq(State.FETCH_HEADER)
            with m.Case(State.FETCH_HEADER):
                with m.If(start_error != ErrorCode.NONE):
                    stop(start_error)
                with m.Else():
                    m.d.comb += self.fetch.valid.eq(1)
                    with m.If(self.fetch.ready):
                        m.d.sync += state.eq(State.HEADER)
            with m.Case(State.HEADER):
                with m.If(row_of_record != per_record):
                    m.d.comb += take_record.eq(1)
                    with m.If(taken_lost):
                        stop(ErrorCode.READ_FAILED)
                with m.Else():
                    m.d.sync += [
                        self.fetch.payload.address.eq(
                            self.fetch.payload.address + per_record * config.width
                        ),
                        self.fetch.payload.rows.eq(header.rows),
                        rows_left.eq(header.rows),
                        rows_ended.eq(header.rows == 0),
                    ]
                    m.d.sync += state.eq(State.FETCH_PROGRAM)
            with m.Case(State.FETCH_PROGRAM):
                with m.If(header_error != ErrorCode.NONE):
                    stop(header_error)
                with m.Else():
                    m.d.comb += self.fetch.valid.eq(1)
                    with m.If(self.fetch.ready):
                        m.d.sync += row_of_record.eq(0)
                        m.d.sync += state.eq(State.COMMAND)
            with m.Case(State.COMMAND):
                with m.If(row_of_record == per_record):
                    m.d.sync += state.eq(State.CHECK)
                with m.Elif(rows_ended):
                    end(ErrorCode.ENDED_EARLY)
                with m.Else():
                    m.d.comb += take_record.eq(1)
                    with m.If(taken_lost):
                        end(ErrorCode.READ_FAILED)
            with m.Case(State.CHECK):
                m.d.sync += row_of_record.eq(0)
                with m.If(command_error != ErrorCode.NONE):
                    end(command_error)
                with m.Elif(is_op[Opcode.HALT]):
                    end(ErrorCode.NONE)
                with m.Else():
                    m.d.sync += state.eq(State.DISPATCH)
            with m.Case(State.DISPATCH):
                for opcode, unit in units.items():
                    m.d.comb += unit.valid.eq(may_start & is_op[opcode] & ~range_check.beyond)
                with m.If(range_check.beyond):
                    end(ErrorCode.COUNT_OUT_OF_RANGE)
                with m.Elif(may_start & unit_ready):
                    with m.If(is_op[Opcode.SET_TOKENS]):
                        m.d.sync += [
                            self.tokens.eq(command.count),
                            last_token.eq(command.count - 1),
                        ]
                    with m.If(is_op[Opcode.LOAD] | is_op[Opcode.LINEAR]):
                        m.d.sync += state.eq(State.PAYLOAD)
                    with m.Else():
                        m.d.sync += state.eq(State.COMMAND)
            with m.Case(State.PAYLOAD):
                with m.If(self.loader_idle & ~self.linear_feeding):
                    m.d.sync += state.eq(State.COMMAND)
                with m.Elif(rows_ended & (self.linear_feeding | self.loader_rows.ready)):
                    stop(ErrorCode.ENDED_EARLY)
                with m.If(taken_lost):
                    stop(ErrorCode.READ_FAILED)
        with m.If(self.busy & self.write_failed):
            stop(ErrorCode.WRITE_FAILED)
        stopped = failure != ErrorCode.NONE
        with m.If(stopped | ((state == State.END) & self.all_idle)):
            m.d.sync += [
                self.error.eq(Mux(stopped, failure, end_error)),
                self.busy.eq(0),
                self.clear.eq(1),
                state.eq(State.IDLE),
            ]
        self._payload(m, state == State.PAYLOAD, take_record)
        return m

    def _payload(self, m: Module, payload, take_record) -> None:
        """Rows go to the record, the loader or the linear engine."""
        m.d.comb += [
            self.loader_rows.payload.eq(self.rows.payload),
            self.linear_rows.payload.eq(self.rows.payload),
            self.loader_rows.valid.eq(payload & self.rows.valid),
            self.linear_rows.valid.eq(payload & self.rows.valid),
            self.rows.ready.eq(
                take_record | (payload & (self.loader_rows.ready | self.linear_rows.ready))
            ),
        ]

    def _commands(self, m: Module, command) -> dict:
        """The units' command streams by opcode, their payloads taken from `command`."""
        channels = (self._config.norm_channels - 1).bit_length()
        m.d.comb += [
            self.fill.payload.eq(command.count),
            self.load.payload.target.eq(command.target),
            self.load.payload.first.eq(command.first),
            self.load.payload.count.eq(command.count),
            self.linear.payload.source.eq(command.source),
            self.linear.payload.destination.eq(command.destination),
            self.linear.payload.only_cls.eq(command.only_cls),
            self.linear.payload.slices.eq(command.slices),
            self.linear.payload.tiles.eq(command.tiles),
            self.linear.payload.pitch.eq(command.pitch),
            self.norm.payload.tokens.eq(Mux(command.only_cls, 1, self.count)),
            self.norm.payload.groups.eq(command.dim >> channels),
            self.norm.payload.dim.eq(command.dim),
            self.norm.payload.mean.eq(command.scale_a),
            self.norm.payload.norm.eq(command.scale_b),
            self.attend.payload.score.eq(command.scale_a),
            self.attend.payload.output.eq(command.scale_b),
            self.attend.payload.accumulate.eq(command.accumulate),
            self.head_place.pitch.eq(command.pitch),
            self.head_place.first.eq(command.first),
            self.prune.payload.eq(command.count),
            self.store.payload.target.eq(command.target),
            self.store.payload.first.eq(command.first),
            self.store.payload.count.eq(command.count),
            self.store.payload.address.eq(command.address),
        ]
        return {
            Opcode.SET_TOKENS: self.fill,
            Opcode.LOAD: self.load,
            Opcode.LINEAR: self.linear,
            Opcode.NORM: self.norm,
            Opcode.ATTEND: self.attend,
            Opcode.PRUNE: self.prune,
            Opcode.STORE: self.store,
        }

    def _room(self, address):
        """Bytes from the end of a header at `address` to the end of memory; negative: none."""
        return (1 << ADDRESS_BITS) - record_rows(self._config) * self._config.width - address

    def _start_error(self, address):
        beat_address_bits = exact_log2(self._config.bus_bytes)
        return _first_error(
            {
                ErrorCode.NOT_ALIGNED: address[:beat_address_bits].any(),
                ErrorCode.COUNT_OUT_OF_RANGE: self._room(address) < 0,
            }
        )

    def _header_error(self, header, room):
        config = self._config
        digest = int(config.digest(), 16)
        return _first_error(
            {
                ErrorCode.BAD_MAGIC: header.magic != MAGIC,
                ErrorCode.BAD_VERSION: header.version != VERSION,
                ErrorCode.BAD_CONFIG: header.digest != digest,
                ErrorCode.COUNT_OUT_OF_RANGE: header.rows > room >> exact_log2(config.width),
            }
        )

    def _command_error(self, command):
        config = self._config
        opcode, count = command.opcode, command.count
        is_load, is_store = opcode == Opcode.LOAD, opcode == Opcode.STORE
        row_address_bits = (config.width - 1).bit_length()
        channel_bits = (config.norm_channels - 1).bit_length()

        reachable = 0
        for target, allowed in transfers(config).items():
            chosen = command.target == target
            if allowed.loads:
                reachable |= chosen & is_load
            if allowed.stores:
                reachable |= chosen & is_store
        moves = is_load | is_store
        bad_transfer = moves & (~reachable | (count == 0))
        bad_linear = (opcode == Opcode.LINEAR) & (
            (command.slices == 0)
            | (command.slices > config.hidden_dim // config.width)
            | (command.tiles == 0)
            | (command.tiles > config.hidden_dim // config.lanes)
            | ((command.destination == Destination.QKV) & (command.tiles > 3 * config.chunks))
        )
        bad_norm = (opcode == Opcode.NORM) & (
            (command.dim == 0) | (command.dim > config.max_dim) | command.dim[:channel_bits].any()
        )
        counts_tokens = opcode.matches(Opcode.SET_TOKENS, Opcode.PRUNE)
        bad_count = counts_tokens & ((count == 0) | (count > config.max_tokens))
        needs_tokens = opcode.matches(Opcode.LINEAR, Opcode.NORM, Opcode.ATTEND, Opcode.PRUNE)
        return _first_error(
            {
                ErrorCode.ILLEGAL_OPCODE: opcode > max(Opcode),
                ErrorCode.ILLEGAL_FIELD: bad_transfer | bad_linear | bad_norm,
                ErrorCode.COUNT_OUT_OF_RANGE: bad_count,
                ErrorCode.NOT_ALIGNED: is_store & command.address[:row_address_bits].any(),
                ErrorCode.NO_TOKENS: needs_tokens & (self.tokens == 0),
            }
        )


def _first_error(conditions: dict):
    """The first code whose condition holds, or NONE."""
    error = ErrorCode.NONE
    for code, condition in reversed(conditions.items()):
        error = Mux(condition, code, error)
    return error
