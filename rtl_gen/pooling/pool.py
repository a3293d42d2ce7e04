"""Pooling: the mean of the live tokens' residual channels, into the residual row of one token.

A Vision Transformer without a class token classifies the mean of its tokens (global average
pooling; Zhai et al., Scaling Vision Transformers, CVPR 2022). Tokens that pruning dropped are no
part of it, nor are the leading ones that a command leaves out.

A part of `lanes` channels at a time: the live tokens' rows of it are read, one a cycle, and the
part of each is added; then the means are rounded, one a cycle, and written together. No row is read
again before that, so that the token may be one of those that are averaged. If there are none, the
mean is 0.

A residual row holds `norm_channels` channels; group g of token t is row t * groups + g. A token of
any number of channels takes an even number of rows, filled up with zeros, and so does the mean.
"""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen import numerics
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.requantize import Requantizer
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.layouts import residual_update_layout
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY, reads, words, writes
from rtl_gen.interfaces.ports import always
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.norm.layer_norm import illegal_dim
from rtl_gen.norm.norm_statistics import NormStatistics


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    return {
        ErrorCode.ILLEGAL_FIELD: illegal_dim(config, command.dim),
        ErrorCode.COUNT_OUT_OF_RANGE: command.first >= config.max_tokens,
    }


def _busy_cycles(config: AcceleratorConfig, command: Any, _tokens: int, live: int) -> int:
    return Pool.cycles(config, live - command.prefix, command.dim) - 1


POOL = Command(
    name="POOL",
    does="mean of the live tokens' residual channels, the first `prefix` left out, into token "
    "`first`; scale 1 / number of tokens",
    fields=("prefix", "first", "dim", "scale_a"),
    unit="pool",
    needs_tokens=True,
    errors=_errors,
    busy_cycles=_busy_cycles,
)


class Pool(wiring.Component):
    """
    Attributes
    ----------
    pool : in, commands; taken while idle
    idle : out, no command is under way, and the next norm sees what the last one wrote
    count : in, number of live tokens, constant while a command is under way
    reads : out, residual, live_list; enabled only while a command is under way
    writes : out, residual, a part at a time
    updates : out, the same parts, for the statistics of the next norm
    """

    SUM_LATENCY = LIST_LATENCY + 2 + READ_LATENCY + 2
    """From a position of the list to the part of its token: token, two for the address of its row,
    row and part in registers. It is in the sums a cycle later.
    """

    @classmethod
    def send_cycles(cls, config: AcceleratorConfig) -> int:
        """From the step after a part's last token to the cycle in which its means are written."""
        return cls.SUM_LATENCY + config.lanes + Requantizer.LATENCY + 1

    @classmethod
    def cycles(cls, config: AcceleratorConfig, tokens: int, dim: int) -> int:
        """Cycles from the transfer of a command to the first in which it is idle again, for the
        mean of so many tokens.
        """
        a_part = max(tokens, 1) + cls.send_cycles(config)
        parts = config.channel_rows(dim) * config.chunks
        return parts * a_part + NormStatistics.latency(config)

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "pool": In(POOL.signature(config)),
                "idle": Out(1),
                "count": In(config.count_bits),
                "reads": Out(reads(config, "pool")),
                "writes": Out(writes(config, "pool")),
                "updates": Out(always(residual_update_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        begin = self.pool.valid & self.pool.ready
        command = Signal(POOL.layout(config), reset_less=True)
        rows = Signal(range(config.max_dim // config.width + 1), reset_less=True)
        with m.If(begin):
            m.d.sync += [
                command.eq(self.pool.payload),
                rows.eq(config.channel_rows(self.pool.payload.dim)),
            ]
        part = Signal(range(config.max_dim // config.lanes), reset_less=True)
        adds, sending = self._walk(m, command, rows, part)
        row_part = part[: exact_log2(config.norm_channels // config.lanes)]
        address = self._address(m, command, rows, part >> len(row_part), sending)
        sums = self._sums(m, address, adds, row_part, sending)
        means = self._means(m, command, sums)
        written = sending == self.send_cycles(config) - 1
        self._write(m, address, row_part, means, written)
        m.d.comb += [
            self.updates.valid.eq(written),
            self.updates.payload.token.eq(command.first),
            self.updates.payload.first.eq(part == 0),
            self.updates.payload.values.eq(means),
        ]
        self._contract(m, begin)
        return m

    def _walk(self, m: Module, command: View, rows: Signal, part: Signal) -> tuple[Signal, Signal]:
        """Steps through parts, and in each through positions, then through `sending`, which is 0
        meanwhile; returns it and whether a step adds a token.
        """
        config = self._config
        adds, sending = Signal(), Signal(range(self.send_cycles(config)))
        position = Signal.like(command.prefix)
        settling = Signal(range(NormStatistics.latency(config)), init=1)
        live_list = self.reads.live_list
        m.d.comb += [live_list.enable.eq(~self.idle), live_list.address.eq(position)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), self.pool.ready.eq(1)]
                m.d.sync += [position.eq(self.pool.payload.prefix), part.eq(0)]
                with m.If(self.pool.valid):
                    m.next = "ADD"
            with m.State("ADD"):
                m.d.comb += adds.eq(position < self.count)
                m.d.sync += position.eq(position + 1)
                with m.If(position + 1 >= self.count):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.sync += sending.eq(sending + 1)
                with m.If(sending == self.send_cycles(config) - 1):
                    m.d.sync += [position.eq(command.prefix), part.eq(part + 1), sending.eq(0)]
                    m.next = "ADD"
                    with m.If(part + 1 == rows << exact_log2(config.chunks)):
                        m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += settling.eq(settling + 1)
                with m.If(settling == NormStatistics.latency(config) - 1):
                    m.d.sync += settling.eq(1)
                    m.next = "IDLE"
        return adds, sending

    def _address(
        self, m: Module, command: View, rows: Signal, group: Value, sending: Signal
    ) -> Signal:
        """The row of a listed token, two cycles later; when all have been, that of the means."""
        token = Mux(sending >= LIST_LATENCY, command.first, self.reads.live_list.data)
        first_row = register(m, (token * rows) << 1, name="first_row")
        address = Signal(range(words(self._config, "residual")), reset_less=True)
        m.d.sync += address.eq(first_row + group)
        return address

    def _sums(
        self, m: Module, address: Signal, adds: Signal, row_part: Value, sending: Signal
    ) -> Signal:
        """A sum a channel of the part; from SUM_LATENCY on one leaves at the low end in a cycle,
        and zeros follow for the next part.
        """
        config, residual = self._config, self.reads.residual
        enable = delay(m, adds, LIST_LATENCY + 2, name="reads", reset_less=False)
        m.d.comb += [residual.enable.eq(enable), residual.address.eq(address)]
        row = register(m, residual.data, name="row")
        channels = Signal(ArrayLayout(signed(numerics.RESIDUAL_BITS), config.lanes))
        part = row.as_value().word_select(row_part, len(channels.as_value()))
        m.d.comb += channels.eq(register(m, part, name="part"))
        arrives = delay(m, enable, READ_LATENCY + 2, name="arrives", reset_less=False)

        largest = config.max_tokens << (numerics.RESIDUAL_BITS - 1)
        shape = signed((largest - 1).bit_length() + 1)
        sums = Signal(ArrayLayout(shape, config.lanes))
        with m.If(arrives):
            m.d.sync += [total.eq(total + x) for total, x in zip(sums, channels, strict=True)]
        with m.Elif(sending >= self.SUM_LATENCY):
            m.d.sync += sums.as_value().eq(sums.as_value() >> shape.width)
        return sums

    def _means(self, m: Module, command: View, sums: Signal) -> Signal:
        """The last `lanes` of the lowest sum's means, the oldest at the low end."""
        m.submodules.mean = mean = Requantizer(
            elements=1, input_bits=len(sums[0]), output_bits=numerics.RESIDUAL_BITS
        )
        means = Signal(self.updates.payload.values.shape(), reset_less=True)
        m.d.comb += [
            mean.call.argument.values[0].eq(sums[0]),
            mean.call.argument.scale.eq(command.scale_a),
        ]
        m.d.sync += means.as_value().eq(
            Cat(means.as_value(), mean.call.result[0])[numerics.RESIDUAL_BITS :]
        )
        return means

    def _write(
        self, m: Module, address: Signal, row_part: Value, means: Signal, written: Value
    ) -> None:
        """A part's means, into its place of the token's row."""
        residual = self.writes.residual
        copies = self._config.norm_channels // self._config.lanes
        m.d.comb += [
            residual.enable.eq(written),
            residual.chunks.eq(0b11 << Cat(Const(0, 1), row_part)),
            residual.address.eq(address),
            residual.data.as_value().eq(means.as_value().replicate(copies)),
        ]

    def _contract(self, m: Module, begin: Value) -> None:
        config = self._config
        illegal = (self.count == 0) | (self.count > config.max_tokens)
        require(m, ~(begin & illegal), "pool: a number of tokens out of range")
        illegal = reduce(or_, _errors(config, self.pool.payload).values())
        require(m, ~(begin & illegal), "pool: a token or a number of channels out of range")
