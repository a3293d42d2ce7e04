"""Dispatcher: takes header, commands and payload off the program stream and keeps the units busy in
order.

Every command is checked before it is handed on. One that cannot run, one that could not be read or
the end of the stream without HALT ends the program as HALT does, behind what was handed on before.
A payload that could not be read or that is missing stops the program at once, since its unit would
wait for ever; so do a row that memory did not take and a wrong word on the chip. In any case the
units are cleared, `error` says why, and the next start begins afresh.

What is read ahead behind HALT does not matter, be it readable or not. At HALT the checksum of what
was taken must be right (checksum.py).

A command costs RECORD + CHECK_CYCLES cycles (RECORD: rows of a record) before its unit may start,
hidden wherever the unit before it still runs.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control import commands, header
from rtl_gen.control.checksum import Checksum
from rtl_gen.control.commands import HALT, SENT, Opcode
from rtl_gen.control.decode import Decoder
from rtl_gen.control.range_check import RangeCheck
from rtl_gen.control.store_check import StoreCheck
from rtl_gen.interfaces.program import (
    HEADER,
    ErrorCode,
    command_layout,
    host_port,
    program_port,
    record_rows,
)


class Dispatcher(wiring.Component):
    """
    Attributes
    ----------
    host : in, starts programs and sees how they end
    program : out, asks for the program's rows and takes them
    commands : out, the units' commands, a stream each
    payloads : out, rows for the units whose commands have a payload
    cores : out, a bit a core that gets the command and its payload
    units : in, see `commands.units_layout`
    clear : out, high for the cycle after a program's last: the units and the stream forget what
        they were doing
    """

    CHECK_CYCLES = max(RangeCheck.LATENCY, StoreCheck.LATENCY)

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "host": In(host_port(config)),
                "program": Out(program_port(config)),
                "commands": Out(commands.commands_port(config)),
                "payloads": Out(commands.payloads_port(config)),
                "cores": Out(config.cores),
                "units": In(commands.units_layout(config)),
                "clear": Out(1),
            }
        )
        per_record = record_rows(config)
        self._fetch = self.program.fetch.payload
        self._record = Signal(per_record * config.row_bits, reset_less=True)
        self._header = Signal(HEADER)
        self._command = Signal(command_layout(config))
        self._rows_taken = Signal(range(per_record + 1))
        self._rows_left, self._rows_ended = Signal(32), Signal()
        self._take_record, self._take_payload = Signal(), Signal()
        self._lost = Signal()
        self._start_error, self._header_error = Signal(ErrorCode), Signal(ErrorCode)
        self._room = Signal(signed(config.address_bits + 1), reset_less=True)
        self._failure, self._end_error = Signal(ErrorCode), Signal(ErrorCode)
        self._no_tokens = Signal(init=1)
        self._last_token = Signal(config.token_bits, reset_less=True)
        self._first_stays = Signal(reset_less=True)

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = Decoder(self._config)
        m.submodules.range_check = range_check = RangeCheck(self._config)
        m.submodules.store_check = store_check = StoreCheck(self._config)
        m.submodules.checksum = checksum = Checksum(self._config)
        self._decoded, self._beyond = decoder.decode.result, range_check.check.result
        self._stored, self._checksum = store_check.check.result, checksum.check
        checks = (decoder.decode, range_check.check, store_check.check)
        m.d.comb += [
            self.cores.eq(self._decoded.cores if self._config.cores > 1 else 1),
            *(part.argument.command.eq(self._command) for part in checks),
            decoder.decode.argument.no_tokens.eq(self._no_tokens),
            range_check.check.argument.last_token.eq(self._last_token),
            range_check.check.argument.first_stays.eq(self._first_stays),
            store_check.check.argument.bounds.eq(self.host.bounds),
        ]
        commands.give_fields(m, self.commands, self._command, self._stored.address)
        self._rows(m)
        m.d.sync += [
            self._header_error.eq(header.header_problem(self._config, self._header, self._room)),
            self.clear.eq(0),
        ]
        states = {
            "IDLE": self._idle,
            "FETCH_HEADER": self._fetch_header,
            "HEADER": self._read_header,
            "FETCH_PROGRAM": self._fetch_program,
            "COMMAND": self._read_command,
            "CHECK": self._check,
            "DISPATCH": self._dispatch,
            "PAYLOAD": self._feed,
            "END": self._end,
        }
        stopped = self._failure != ErrorCode.NONE
        with m.FSM():
            for name, act in states.items():
                with m.State(name):
                    act(m)
                    with m.If(stopped):
                        m.next = "IDLE"
        for name, code in commands.failures(self._config).items():
            with m.If(self.host.busy & self.units[name]):
                m.d.comb += self._failure.eq(code)
        with m.If(stopped):
            self._finish(m, self._failure)
        return m

    # Rows ------------------------------------------------------------------------------------

    def _rows(self, m: Module) -> None:
        """Rows go to the record, or to the units that take a payload."""
        rows, payloads = self.program.rows, self._payloads()
        taken, checked = rows.valid & rows.ready, self._checksum.argument
        for port in payloads:
            m.d.comb += [
                port.rows.payload.eq(rows.payload.data),
                port.rows.valid.eq(self._take_payload & rows.valid),
            ]
        wanted = reduce(or_, (port.rows.ready for port in payloads))
        m.d.comb += [
            rows.ready.eq(self._take_record | (self._take_payload & wanted)),
            checked.row.eq(rows.payload.data),
            checked.counts.eq(taken & ~(self._take_payload & self._decoded.from_host)),
            checked.restart.eq(~self.host.busy),
            self._lost.eq(taken & rows.payload.lost),
            self._header.as_value().eq(self._record),
            self._command.as_value().eq(self._record),
        ]
        with m.If(taken):
            m.d.sync += [
                self._rows_left.eq(self._rows_left - 1),
                self._rows_ended.eq(self._rows_left == 1),
            ]
        with m.If(taken & self._take_record):
            m.d.sync += [
                self._record.eq(Cat(self._record, rows.payload.data)[self._config.row_bits :]),
                self._rows_taken.eq(self._rows_taken + 1),
            ]

    def _payloads(self) -> list:
        return [getattr(self.payloads, name) for name in self.payloads.signature.members]

    # States ----------------------------------------------------------------------------------

    def _idle(self, m: Module) -> None:
        address, pages = self.host.start.payload, self.host.bounds.reads
        with m.If(self.host.start.valid):
            self._expect(m, address, record_rows(self._config))
            m.d.sync += [
                self._rows_taken.eq(0),
                self.host.busy.eq(1),
                self.host.error.eq(ErrorCode.NONE),
                self._no_tokens.eq(1),
                self._room.eq(header.room_behind(self._config, address, pages)),
                self._start_error.eq(header.start_problem(self._config, address, pages)),
            ]
            m.next = "FETCH_HEADER"

    def _fetch_header(self, m: Module) -> None:
        self._fetch_rows(m, self._start_error, "HEADER")

    def _read_header(self, m: Module) -> None:
        per_record = record_rows(self._config)
        with m.If(self._rows_taken != per_record):
            m.d.comb += self._take_record.eq(1)
            with m.If(self._lost):
                m.d.comb += self._failure.eq(ErrorCode.READ_FAILED)
        with m.Else():
            behind = self._fetch.address + per_record * self._config.width
            self._expect(m, behind, self._header.rows)
            m.next = "FETCH_PROGRAM"

    def _fetch_program(self, m: Module) -> None:
        m.d.sync += self._rows_taken.eq(0)
        self._fetch_rows(m, self._header_error, "COMMAND")

    def _read_command(self, m: Module) -> None:
        with m.If(self._rows_taken == record_rows(self._config)):
            m.next = "CHECK"
        with m.Elif(self._rows_ended):
            self._end_with(m, ErrorCode.ENDED_EARLY)
        with m.Else():
            m.d.comb += self._take_record.eq(1)
            with m.If(self._lost):
                self._end_with(m, ErrorCode.READ_FAILED)

    def _check(self, m: Module) -> None:
        m.d.sync += self._rows_taken.eq(0)
        with m.If(self._decoded.error != ErrorCode.NONE):
            self._end_with(m, self._decoded.error)
        with m.Elif(self._decoded.runs[Opcode[HALT.name]]):
            self._end_with(m, ErrorCode.NONE)
        with m.Else():
            m.next = "DISPATCH"

    def _dispatch(self, m: Module) -> None:
        may_start = self.units.idle | ~self._decoded.waits
        to_memory = reduce(or_, (self._runs(command) for command in SENT if command.to_memory))
        outside = self._stored.outside & to_memory
        ready = 0
        for command in SENT:
            unit, runs = getattr(self.commands, command.port), self._runs(command)
            m.d.comb += unit.valid.eq(may_start & runs & ~self._beyond & ~outside)
            ready |= unit.ready & runs
        with m.If(self._beyond):
            self._end_with(m, ErrorCode.COUNT_OUT_OF_RANGE)
        with m.Elif(outside):
            self._end_with(m, ErrorCode.OUT_OF_BOUNDS)
        with m.Elif(may_start & ready):
            m.next = "COMMAND"
            for command in SENT:
                if command.payload:
                    with m.If(self._runs(command)):
                        m.next = "PAYLOAD"
                if command.sets_tokens:
                    with m.If(self._runs(command)):
                        m.d.sync += [
                            self._no_tokens.eq(0),
                            self._last_token.eq(self._command.count - 1),
                            self._first_stays.eq(1),
                        ]
                if command.loses_first:
                    with m.If(self._runs(command) & command.loses_first(self._command)):
                        m.d.sync += self._first_stays.eq(0)

    def _feed(self, m: Module) -> None:
        m.d.comb += self._take_payload.eq(1)
        payloads = self._payloads()
        with m.If(~reduce(or_, (port.feeding for port in payloads))):
            m.next = "COMMAND"
        with m.Elif(self._rows_ended & reduce(or_, (port.expects for port in payloads))):
            m.d.comb += self._failure.eq(ErrorCode.ENDED_EARLY)
        with m.If(self._lost):
            m.d.comb += self._failure.eq(ErrorCode.READ_FAILED)

    def _end(self, m: Module) -> None:
        # The checksum is there: LATENCY cycles behind the last row of HALT.
        damaged = (self._end_error == ErrorCode.NONE) & ~self._checksum.result
        with m.If(self.units.idle):
            self._finish(m, Mux(damaged, ErrorCode.BAD_CHECKSUM, self._end_error))
            m.next = "IDLE"

    # Parts of states -------------------------------------------------------------------------

    def _expect(self, m: Module, address, rows) -> None:
        """The next rows to ask for."""
        m.d.sync += [
            self._fetch.address.eq(address),
            self._fetch.rows.eq(rows),
            self._rows_left.eq(rows),
            self._rows_ended.eq(rows == 0),
        ]

    def _fetch_rows(self, m: Module, error, then: str) -> None:
        """Asks for them unless there is an error."""
        with m.If(error != ErrorCode.NONE):
            m.d.comb += self._failure.eq(error)
        with m.Else():
            m.d.comb += self.program.fetch.valid.eq(1)
            with m.If(self.program.fetch.ready):
                m.next = then

    def _end_with(self, m: Module, error) -> None:
        """Ends the program when the units are idle."""
        m.d.sync += self._end_error.eq(error)
        m.next = "END"

    def _finish(self, m: Module, error) -> None:
        """The program is over with this cycle, whatever the units do."""
        m.d.sync += [self.host.error.eq(error), self.host.busy.eq(0), self.clear.eq(1)]

    def _runs(self, command):
        return self._decoded.runs[Opcode[command.name]]
