"""Pooling: the mean of the live tokens' residual channels, into the residual row of one token.

A Vision Transformer without a class token classifies the mean of its tokens (global average
pooling; Zhai et al., Scaling Vision Transformers, CVPR 2022). Tokens that pruning dropped are no
part of it, nor are the leading ones that a command leaves out.

A group of `norm_channels` channels at a time: all live tokens' rows of it are read, one a cycle,
and their channels added; then its means leave, `lanes` of them every REVISIT_CYCLES, as the
statistics of the next norm take them. Until they have left, nothing of the group is overwritten:
the token may be one of those that are averaged. If none are, the mean is 0.

A residual row holds `norm_channels` channels; group g of token t is row t * groups + g.
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
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY, reads, writes
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
    groups = command.dim // config.norm_channels
    return Pool.cycles(config, live - command.count, groups) - 1


POOL = Command(
    name="POOL",
    does="mean of the live tokens' residual channels, the first `count` tokens left out, into "
    "token `first`; scale 1 / number of tokens",
    fields=("count", "first", "dim", "scale_a"),
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
    writes : out, residual, `lanes` channels at a time
    updates : out, the same channels, for the statistics of the next norm
    """

    INTERVAL = NormStatistics.REVISIT_CYCLES
    """Cycles from one part of a group to the next."""

    SUM_LATENCY = LIST_LATENCY + 2 + READ_LATENCY + 1
    """From a step that adds a token to its channels in a register: token, two for the address of
    its row, channels. They are in the sum a cycle later, as the next step is in the walk.
    """

    LATENCY = SUM_LATENCY + Requantizer.LATENCY
    """From a step that sends a part to the cycle in which its means are written."""

    @classmethod
    def cycles(cls, config: AcceleratorConfig, tokens: int, groups: int) -> int:
        """Cycles from the transfer of a command to the first in which it is idle again, for the
        mean of so many tokens.
        """
        sending = cls.INTERVAL * config.norm_channels // config.lanes
        return 1 + groups * (max(tokens, 1) + sending) + cls._settle_cycles(config)

    @classmethod
    def _settle_cycles(cls, config: AcceleratorConfig) -> int:
        """From the last interval to the first cycle in which the last part's statistics count."""
        return cls.LATENCY - cls.INTERVAL + NormStatistics.latency(config)

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        self._parts = config.norm_channels // config.lanes
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
        with m.If(begin):
            m.d.sync += command.eq(self.pool.payload)
        groups = command.dim >> exact_log2(config.norm_channels)

        adds, sends, group = self._walk(m, command, groups)
        arrives = self._read(m, groups, adds, group)
        sent = delay(m, sends, self.SUM_LATENCY, name="sent", reset_less=False)
        sums = self._add(m, arrives, sent)
        self._write(m, command, groups, sums, sent)
        require(
            m,
            ~begin | ((self.count != 0) & (self.count <= config.max_tokens)),
            "pool: a number of tokens out of range",
        )
        illegal = reduce(or_, _errors(config, self.pool.payload).values())
        require(m, ~(begin & illegal), "pool: a token or a number of channels out of range")
        return m

    def _walk(self, m: Module, command: View, groups: Value) -> tuple[Signal, Signal, Signal]:
        """Steps through groups, and in each through positions and parts; returns whether a step
        adds a token, whether it sends a part, and the group.
        """
        adds, sends = Signal(), Signal()
        position = Signal.like(command.count)
        group = Signal(range(self._config.norm_groups), reset_less=True)
        sending = Signal(range(self.INTERVAL * self._parts))
        settling = Signal(range(self._settle_cycles(self._config)))
        live_list = self.reads.live_list
        m.d.comb += [live_list.enable.eq(~self.idle), live_list.address.eq(position)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), self.pool.ready.eq(1)]
                m.d.sync += [position.eq(self.pool.payload.count), group.eq(0)]
                with m.If(self.pool.valid):
                    m.next = "ADD"
            with m.State("ADD"):
                m.d.comb += adds.eq(position < self.count)
                m.d.sync += position.eq(position + 1)
                with m.If(position + 1 >= self.count):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += sends.eq(sending % self.INTERVAL == 0)
                m.d.sync += sending.eq(sending + 1)
                with m.If(sending == self.INTERVAL * self._parts - 1):
                    m.d.sync += [position.eq(command.count), group.eq(group + 1), sending.eq(0)]
                    m.next = "ADD"
                    with m.If(group + 1 == groups):
                        m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += settling.eq(settling + 1)
                with m.If(settling == self._settle_cycles(self._config) - 1):
                    m.d.sync += settling.eq(0)
                    m.next = "IDLE"
        return adds, sends, group

    def _read(self, m: Module, groups: Value, adds: Signal, group: Signal) -> Signal:
        """Reads the tokens' rows of a group; returns when their channels are in the registers."""
        residual = self.reads.residual
        first_row = register(m, self.reads.live_list.data * groups, name="first_row")
        late_group = delay(m, group, LIST_LATENCY + 1, name="group")
        address = Signal(residual.address.shape(), reset_less=True)
        m.d.sync += address.eq(first_row + late_group)
        enable = delay(m, adds, LIST_LATENCY + 2, name="reads", reset_less=False)
        m.d.comb += [residual.enable.eq(enable), residual.address.eq(address)]
        return delay(m, enable, READ_LATENCY + 1, name="arrives", reset_less=False)

    def _add(self, m: Module, arrives: Signal, sent: Signal) -> Signal:
        """A sum a channel; the parts leave at the low end, and zeros follow for the next group."""
        config = self._config
        largest = config.max_tokens << (numerics.RESIDUAL_BITS - 1)
        shape = signed((largest - 1).bit_length() + 1)
        sums = Signal(ArrayLayout(shape, config.norm_channels))
        channels = register(m, self.reads.residual.data, name="channels")
        with m.If(arrives):
            m.d.sync += [total.eq(total + x) for total, x in zip(sums, channels, strict=True)]
        with m.Elif(sent):
            m.d.sync += sums.as_value().eq(sums.as_value() >> config.lanes * shape.width)
        return sums

    def _write(self, m: Module, command: View, groups: Value, sums: Signal, sent: Signal) -> None:
        """Means of a part: into its place of the token's row, and to the statistics."""
        config, residual = self._config, self.writes.residual
        m.submodules.mean = mean = Requantizer(
            elements=config.lanes,
            input_bits=sums.shape().elem_shape.width,
            output_bits=numerics.RESIDUAL_BITS,
        )
        values, means = mean.call.argument.values, mean.call.result
        written = delay(m, sent, Requantizer.LATENCY, name="written", reset_less=False)
        row = Signal(residual.address.shape(), reset_less=True)
        part, first = Signal(range(self._parts), reset_less=True), Signal(reset_less=True)
        with m.If(register(m, self.idle, name="was_idle")):
            m.d.sync += [row.eq(command.first * groups), part.eq(0), first.eq(1)]
        with m.Elif(written):
            m.d.sync += [row.eq(row + (part == self._parts - 1)), part.eq(part + 1), first.eq(0)]
        m.d.comb += [
            values.as_value().eq(sums.as_value()),
            mean.call.argument.scale.eq(command.scale_a),
            residual.enable.eq(Mux(written, 0b11 << Cat(Const(0, 1), part), 0)),
            residual.address.eq(row),
            residual.data.as_value().eq(means.as_value().replicate(self._parts)),
            self.updates.valid.eq(written),
            self.updates.payload.token.eq(command.first),
            self.updates.payload.first.eq(first),
            self.updates.payload.values.eq(means),
        ]
