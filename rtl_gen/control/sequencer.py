"""Sequencer: fetches the program's commands one by one and runs each to its end.

A command costs the time from its read request to its last beat, CHECK_CYCLES, START_CYCLES (except
HALT) and the latency of its unit, from the transfer of the unit's command to `finished`. A command
that cannot be run stops the program with an error code; the error stays until the next start.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.attention.attention import head_layout
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import (
    ADDRESS_BITS,
    COMMAND,
    ErrorCode,
    Opcode,
    Target,
    command_beats,
    command_pitch,
)
from rtl_gen.memory.loader import load_layout
from rtl_gen.memory.port import read_request_layout


class Sequencer(wiring.Component):
    """
    Attributes
    ----------
    start, program_address : runs the program from there on; only while not busy
    busy, done, error : done and error stay until the next start
    opcode : the command that runs, HALT for none
    request, data : the memory port's read side, for commands
    fill, load, attend, prune : commands for the units; `prune` is a number of tokens to keep
    output_address : where ATTEND writes
    tokens : the sequence length of the last SET_TOKENS
    finished : the unit that was started is done
    """

    CHECK_CYCLES = 1
    START_CYCLES = 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "program_address": In(ADDRESS_BITS),
                "busy": Out(1),
                "done": Out(1),
                "error": Out(ErrorCode),
                "opcode": Out(Opcode),
                "request": Out(stream.Signature(read_request_layout())),
                "data": In(stream.Signature(unsigned(8 * config.bus_bytes))),
                "fill": Out(stream.Signature(unsigned(config.count_bits))),
                "load": Out(stream.Signature(load_layout())),
                "attend": Out(stream.Signature(head_layout())),
                "prune": Out(stream.Signature(unsigned(config.count_bits))),
                "output_address": Out(ADDRESS_BITS),
                "tokens": Out(config.count_bits),
                "finished": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        pitch = command_pitch(config)
        beats = command_beats(config)

        command = Signal(COMMAND)
        collected = Signal(8 * pitch, reset_less=True)
        m.d.comb += command.as_value().eq(collected)
        counter = Signal(ADDRESS_BITS, reset_less=True)
        beat = Signal(range(beats + 1))
        error = Signal(ErrorCode)
        m.d.comb += [
            error.eq(self._error(command, counter)),
            self.request.payload.address.eq(counter),
            self.request.payload.beats.eq(beats),
            self.fill.payload.eq(command.count),
            self.load.payload.target.eq(command.target),
            self.load.payload.address.eq(command.address),
            self.load.payload.count.eq(command.count),
            self.attend.payload.score.eq(command.score),
            self.attend.payload.output.eq(command.output),
            self.attend.payload.accumulate.eq(command.accumulate),
            self.prune.payload.eq(command.count),
            self.output_address.eq(command.address),
        ]
        units = {
            Opcode.SET_TOKENS: self.fill,
            Opcode.LOAD: self.load,
            Opcode.ATTEND: self.attend,
            Opcode.PRUNE: self.prune,
        }

        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [
                    counter.eq(self.program_address),
                    self.busy.eq(1),
                    self.done.eq(0),
                    self.error.eq(ErrorCode.NONE),
                    self.tokens.eq(0),
                ]
                m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.request.valid.eq(1)
                with m.If(self.request.ready):
                    m.d.sync += [counter.eq(counter + pitch), beat.eq(0)]
                    m.next = "RECEIVE"
            with m.State("RECEIVE"):
                m.d.comb += self.data.ready.eq(1)
                with m.If(self.data.valid):
                    m.d.sync += [
                        collected.eq(Cat(collected, self.data.payload)[-len(collected) :]),
                        beat.eq(beat + 1),
                    ]
                    with m.If(beat == beats - 1):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += self.error.eq(error)
                with m.If((error != ErrorCode.NONE) | (command.opcode == Opcode.HALT)):
                    m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                    m.next = "IDLE"
                with m.Else():
                    m.d.sync += self.opcode.eq(command.opcode)
                    m.next = "START"
            with m.State("START"):
                for opcode, unit in units.items():
                    with m.If(self.opcode == opcode):
                        m.d.comb += unit.valid.eq(1)
                        with m.If(unit.ready):
                            m.next = "WAIT"
                with m.If(self.opcode == Opcode.SET_TOKENS):
                    m.d.sync += self.tokens.eq(command.count)
            with m.State("WAIT"), m.If(self.finished):
                m.d.sync += self.opcode.eq(Opcode.HALT)
                m.next = "REQUEST"
        return m

    def _error(self, command, counter):
        """Why `command` cannot run; `counter` is where the next one is fetched."""
        config = self._config
        aligned_bits = (config.bus_bytes - 1).bit_length()
        opcode, count = command.opcode, command.count
        limit = Mux(command.target == Target.MASK, config.mask_depth, config.max_tokens)
        limit = Mux(opcode == Opcode.LOAD, limit, config.max_tokens)
        counts = opcode.matches(Opcode.SET_TOKENS, Opcode.LOAD, Opcode.PRUNE)
        addresses = opcode.matches(Opcode.LOAD, Opcode.ATTEND)
        needs_tokens = opcode.matches(Opcode.ATTEND, Opcode.PRUNE)
        misaligned = (addresses & command.address[:aligned_bits].any()) | counter[
            :aligned_bits
        ].any()
        conditions = {
            ErrorCode.NO_TOKENS: needs_tokens & (self.tokens == 0),
            ErrorCode.COUNT_OUT_OF_RANGE: counts & ((count == 0) | (count > limit)),
            ErrorCode.ADDRESS_NOT_ALIGNED: misaligned,
            ErrorCode.ILLEGAL_OPCODE: opcode > max(Opcode),
        }
        error = ErrorCode.NONE
        for code, condition in conditions.items():
            error = Mux(condition, code, error)
        return error
