"""LayerNorm: one pass over the live tokens, from the residual memory to the activation memory.

A walk presents a position of the live list every `groups` cycles. Its token's statistics become a
`NormFactor`; when that arrives, the token's channels are read, `norm_channels` a cycle, normalised
and written. Nothing ever waits, so that groups follow each other without bubbles, also across
tokens.

A group is a residual row, half an activation row; group g of token t is row t * groups + g. A token
of any number of channels fills whole activation rows: the residual stream holds 0 in the channels
behind its last, so that its statistics are those of its own; what is written there does not matter.
The rows of dropped tokens are neither read nor written.

A channel's step is 2^k times the common step, k from the memory of channel shifts. A `plain` norm
does not normalise: it rounds the channels themselves to int8, as if their mean were 0 and their
deviation 1 / D.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen import numerics
from rtl_gen.common.contract import require
from rtl_gen.common.narrow_shift import narrow_shift
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.products import product_parts
from rtl_gen.common.saturate import saturate_half
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.layouts import residual_update_layout
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY, reads, words, writes
from rtl_gen.interfaces.ports import always
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.norm.norm_factor import DEVIATION_BITS, NormFactor, norm_factor_layout
from rtl_gen.norm.norm_statistics import NormStatistics

RESULT_BITS = 8
CUT_BITS = RESULT_BITS + (1 << numerics.NORM_CHANNEL_SHIFT_BITS)
"""A result before its channel shift and rounding: beyond this range every channel saturates."""


def illegal_dim(config: AcceleratorConfig, dim: Value) -> Value:
    """Whether a token's channels are none, or more than there are."""
    return (dim == 0) | (dim > config.max_dim)


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    return {ErrorCode.ILLEGAL_FIELD: illegal_dim(config, command.dim)}


def _busy_cycles(config: AcceleratorConfig, command: Any, _tokens: int, live: int) -> int:
    tokens = 1 if command.only_cls else live
    return LayerNorm.cycles(config, tokens, command.dim) - 1


NORM = Command(
    name="NORM",
    does="LayerNorm of the residual stream of the live tokens, or the first of them alone "
    "(`only_cls`), into the activations; scales of mean and norm; `plain`: with mean 0 and root 1",
    fields=("only_cls", "plain", "dim", "scale_a", "scale_b"),
    unit="norm",
    needs_tokens=True,
    errors=_errors,
    busy_cycles=_busy_cycles,
)


class LayerNorm(wiring.Component):
    """
    Attributes
    ----------
    norm : in, commands; taken while idle
    idle : out, no command is under way
    count : in, number of live tokens, in the cycle in which a command is taken
    updates : in, residual channels as they are written; their token's statistics count with the
        next command, NormStatistics.latency(config) cycles later at the earliest
    reads : out, residual, channel_shifts, live_list; enabled while a command is under way
    writes : out, activation, half a row a cycle
    """

    RESIDUAL_LATENCY = READ_LATENCY + 1
    """From a residual address to its channels in a register."""

    APPLY_LATENCY = 6
    """From a row's channels to its results: distance, multipliers, their sum, shift, shift of the
    channel, rounding and saturation.
    """

    @classmethod
    def factor_latency(cls, config: AcceleratorConfig) -> int:
        """Cycles from a position of the list to its token's factor."""
        return LIST_LATENCY + NormStatistics.READ_LATENCY + NormFactor.latency(config)

    @classmethod
    def latency(cls, config: AcceleratorConfig) -> int:
        """Cycles from the transfer of a command to the first activation row.

        A cycle to the first position, one to hold a token's factor for all of its rows.
        """
        return 1 + cls.factor_latency(config) + 1 + cls.APPLY_LATENCY

    @classmethod
    def cycles(cls, config: AcceleratorConfig, tokens: int, dim: int) -> int:
        """Cycles from the transfer of a command to the first in which it is idle again."""
        return cls.latency(config) + tokens * 2 * config.channel_rows(dim)

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "norm": In(NORM.signature(config)),
                "idle": Out(1, init=1),
                "count": In(config.count_bits),
                "updates": In(always(residual_update_layout(config))),
                "reads": Out(reads(config, "norm")),
                "writes": Out(writes(config, "norm")),
            }
        )

    def elaborate(self, platform):
        m = Module()
        begin = self.norm.valid & self.norm.ready
        command = Signal(NORM.layout(self._config), reset_less=True)
        groups = Signal(range(self._config.norm_groups + 1), reset_less=True)
        with m.If(begin):
            m.d.sync += [
                command.eq(self.norm.payload),
                groups.eq(self._config.channel_rows(self.norm.payload.dim) << 1),
            ]
        walking, begins = self._walk(m, begin, groups)
        factor = self._hold_factor(m, command, begins)
        row, group = self._read_residual(m, groups, begins)
        results = self._normalise(m, factor, group)
        self._write(m, begin, walking, row, results)
        self._contract(m, begin)
        return m

    def _walk(self, m: Module, begin: Value, groups: Value) -> tuple[Signal, Value]:
        """Presents positions; returns flags for every row and for the first row of a token."""
        walking = Signal()
        tokens = Signal(self._config.count_bits, reset_less=True)
        position = Signal(self._config.count_bits, reset_less=True)
        group = Signal(range(self._config.norm_groups), reset_less=True)
        with m.If(begin):
            m.d.sync += [
                walking.eq(1),
                tokens.eq(Mux(self.norm.payload.only_cls, 1, self.count)),
                position.eq(0),
                group.eq(0),
            ]
        with m.Elif(walking):
            m.d.sync += group.eq(group + 1)
            with m.If(group + 1 == groups):
                m.d.sync += [
                    group.eq(0),
                    position.eq(position + 1),
                    walking.eq(position + 1 != tokens),
                ]
        live_list = self.reads.live_list
        m.d.comb += [live_list.enable.eq(~self.idle), live_list.address.eq(position)]
        return walking, walking & (group == 0)

    def _hold_factor(self, m: Module, command: View, begins: Value) -> View:
        """Reads each token's statistics; its factor stays until that of the next one comes."""
        config = self._config
        m.submodules.statistics = statistics = NormStatistics(config)
        m.submodules.norm_factor = norm_factor = NormFactor(config)
        connect(m, flipped(self.updates), statistics.updates)
        token = norm_factor.call.argument
        m.d.comb += [
            statistics.read.enable.eq(
                delay(m, begins, LIST_LATENCY, name="listed", reset_less=False)
            ),
            statistics.read.address.eq(self.reads.live_list.data),
            token.statistics.eq(statistics.read.data),
            token.dim.eq(command.dim),
            token.plain.eq(command.plain),
            token.mean_scale.eq(command.scale_a),
            token.norm_scale.eq(command.scale_b),
        ]
        arrives = delay(m, begins, self.factor_latency(config), name="factor_arrives")
        factor = Signal(norm_factor_layout(), reset_less=True)
        with m.If(arrives):
            m.d.sync += factor.eq(norm_factor.call.result)
        return factor

    def _read_residual(self, m: Module, groups: Value, begins: Value) -> tuple[Signal, Signal]:
        """Addresses rows so that channels and factor meet; returns the row and its group."""
        config, residual = self._config, self.reads.residual
        address_time = self.factor_latency(config) + 1 - self.RESIDUAL_LATENCY
        waiting = address_time - 2 - LIST_LATENCY
        token = delay(m, self.reads.live_list.data, waiting, name="token")
        first_row = register(m, token * groups, name="first_row")
        first = delay(m, begins, address_time - 1, name="first")
        address = Signal(range(words(config, "residual")), reset_less=True)
        group = Signal(range(config.norm_groups), reset_less=True)
        with m.If(first):
            m.d.sync += [address.eq(first_row), group.eq(0)]
        with m.Else():
            m.d.sync += [address.eq(address + 1), group.eq(group + 1)]
        m.d.comb += [residual.enable.eq(~self.idle), residual.address.eq(address)]
        return address, group

    def _normalise(self, m: Module, factor: View, group: Signal) -> Signal:
        """The int8 results of a row, APPLY_LATENCY cycles after its channels."""
        results = Signal(ArrayLayout(signed(RESULT_BITS), self._config.norm_channels))
        shifts = self._channel_shifts(m, group)
        multiplier = register(m, factor.multiplier, name="multiplier")
        shift = delay(m, factor.shift, 3, name="shift")
        for i in range(self._config.norm_channels):
            channel = register(m, self.reads.residual.data[i], name=f"channel_{i}")
            distance = Signal(signed(DEVIATION_BITS), name=f"distance_{i}", reset_less=True)
            m.d.sync += distance.eq((channel << numerics.NORM_MEAN_FRACTION_BITS) - factor.mean)
            parts = product_parts(m, distance, multiplier, name=f"part_{i}")
            product = register(m, parts, name=f"product_{i}")
            cut = narrow_shift(m, product, shift, CUT_BITS, name=f"product_{i}")
            cut = register(m, cut, name=f"cut_{i}")
            halves = narrow_shift(m, cut, shifts[i], RESULT_BITS + 1, name=f"cut_{i}")
            halves = register(m, halves, name=f"halves_{i}")
            result = Signal(signed(RESULT_BITS), name=f"result_{i}", reset_less=True)
            m.d.sync += result.eq(saturate_half(halves, RESULT_BITS))
            m.d.comb += results[i].eq(result)
        return results

    def _channel_shifts(self, m: Module, group: Signal) -> View:
        """k of the channels that are being cut, four cycles after they were registered."""
        read = self.reads.channel_shifts
        m.d.comb += [
            read.enable.eq(~self.idle),
            read.address.eq(delay(m, group, 4, name="group")),
        ]
        return register(m, read.data, name="shifts")

    def _write(
        self, m: Module, begin: Value, walking: Signal, row: Signal, results: Signal
    ) -> None:
        """Writes the results of the rows, which have no gaps; the unit is idle after the last."""
        activation, latency = self.writes.activation, self.latency(self._config)
        address = delay(m, row, self.RESIDUAL_LATENCY + self.APPLY_LATENCY, name="row")
        valid = Signal()
        next_valid = delay(m, walking, latency - 2, name="walked", reset_less=False)
        m.d.sync += valid.eq(next_valid)
        m.d.comb += [
            activation.enable.eq(valid),
            activation.chunks.eq(1 << address[0]),
            activation.address.eq(address >> 1),
            activation.data.as_value().eq(results.as_value().replicate(2)),
            self.norm.ready.eq(self.idle),
        ]
        with m.If(begin):
            m.d.sync += self.idle.eq(0)
        with m.Elif(valid & ~next_valid):
            m.d.sync += self.idle.eq(1)

    def _contract(self, m: Module, begin: Value) -> None:
        config = self._config
        illegal = (self.count == 0) | (self.count > config.max_tokens)
        require(m, ~(begin & illegal), "norm: a number of tokens out of range")
        illegal = illegal_dim(config, self.norm.payload.dim)
        require(m, ~(begin & illegal), "norm: a number of channels out of range")
        require(m, self.idle | ~self.updates.valid, "norm: residual channels written while it runs")
