"""LayerNorm: one pass over the live tokens, from the residual memory to the activation memory.

A walk presents a position of the live list every `groups` cycles. Its token's statistics become a
`NormFactor`; when that arrives, the token's channels are read, `norm_channels` a cycle, normalised
and written. Nothing ever waits, so that groups follow each other without bubbles, also across
tokens and with one group a token.

A residual or activation row holds `norm_channels` channels; group g of token t is row
t * groups + g. The rows of dropped tokens are neither read nor written.

A channel's step is 2^k times the common step, k from a memory of `norm_groups` rows that is written
while no norm is under way.
"""

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout, View
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen import numerics
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.saturate import saturate, saturate_half
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.layouts import channel_shifts_layout, residual_row_layout, scale_layout
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.memory.row_memory import RowMemory, read_signature
from rtl_gen.norm.norm_factor import DEVIATION_BITS, NormFactor, norm_factor_layout
from rtl_gen.norm.norm_statistics import NormStatistics, statistics_read_signature
from rtl_gen.pruning.live_tokens import LiveTokens, token_read_signature

RESULT_BITS = 8
CUT_BITS = RESULT_BITS + (1 << numerics.NORM_CHANNEL_SHIFT_BITS)
"""A result before its channel shift and rounding: beyond this range every channel saturates."""


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    part = command.dim[: exact_log2(config.norm_channels)]
    illegal = (command.dim == 0) | (command.dim > config.max_dim) | part.any()
    return {ErrorCode.ILLEGAL_FIELD: illegal}


def _busy_cycles(config: AcceleratorConfig, command: Any, _tokens: int, live: int) -> int:
    tokens = 1 if command.only_cls else live
    return LayerNorm.cycles(config, tokens, command.dim // config.norm_channels) - 1


NORM = Command(
    name="NORM",
    does="LayerNorm of the residual stream of the live tokens, or the first of them alone "
    "(`only_cls`), into the activations; scales of mean and norm",
    fields=("only_cls", "dim", "scale_a", "scale_b"),
    unit="norm",
    needs_tokens=True,
    errors=_errors,
    busy_cycles=_busy_cycles,
)


def norm_command_layout(config: AcceleratorConfig) -> StructLayout:
    """One norm: `tokens` positions of the live list, of `dim` channels in `groups` rows.

    `tokens` and `groups` are at least 1. `mean` and `norm` are the scales (m_D, s_D) and (m_N, s_N)
    of NormFactor.
    """
    return StructLayout(
        {
            "tokens": unsigned(config.count_bits),
            "groups": unsigned(config.norm_groups.bit_length()),
            "dim": unsigned(config.dim_bits),
            "mean": scale_layout(),
            "norm": scale_layout(),
        }
    )


def row_write_signature(depth: int, shape) -> wiring.Signature:
    """A writer's side of a memory of rows."""
    return wiring.Signature({"valid": Out(1), "address": Out(range(depth)), "data": Out(shape)})


class LayerNorm(wiring.Component):
    """
    Attributes
    ----------
    start : stream of commands; ready while idle
    shifts : write port of the channel shifts
    list : read port of the live-token list
    statistics : read port of the statistics
    residual : read port of the residual memory
    activations : write port of the activation memory
    """

    RESIDUAL_LATENCY = RowMemory.LATENCY + 1
    """From a residual address to its channels in a register."""

    APPLY_LATENCY = 6
    """From a row's channels to its results: distance, product, shift, cut, channel shift, round."""

    @classmethod
    def factor_latency(cls, config: AcceleratorConfig) -> int:
        """Cycles from a position of the list to its token's factor."""
        return LiveTokens.READ_LATENCY + NormStatistics.READ_LATENCY + NormFactor.latency(config)

    @classmethod
    def latency(cls, config: AcceleratorConfig) -> int:
        """Cycles from the transfer of `start` to the first activation row.

        A cycle to the first position, one to hold a token's factor for all of its rows.
        """
        return 1 + cls.factor_latency(config) + 1 + cls.APPLY_LATENCY

    @classmethod
    def cycles(cls, config: AcceleratorConfig, tokens: int, groups: int) -> int:
        """Cycles from the transfer of `start` to the first in which it is ready again."""
        return cls.latency(config) + tokens * groups

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        results = ArrayLayout(signed(RESULT_BITS), config.norm_channels)
        super().__init__(
            {
                "start": In(stream.Signature(norm_command_layout(config))),
                "shifts": In(
                    row_write_signature(config.norm_groups, channel_shifts_layout(config))
                ),
                "list": Out(token_read_signature(config)),
                "statistics": Out(statistics_read_signature(config)),
                "residual": Out(read_signature(config.residual_rows, residual_row_layout(config))),
                "activations": Out(row_write_signature(config.residual_rows, results)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        command = Signal(norm_command_layout(self._config), reset_less=True)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += command.eq(self.start.payload)

        walking, begins = self._walk(m, command)
        token = self.list.token
        factor = self._hold_factor(m, command, token, begins)
        group = self._read_residual(m, command, token, begins)
        self._apply(m, factor, group)
        self._write(m, walking)
        return m

    def _walk(self, m: Module, command) -> tuple[Signal, Value]:
        """Presents positions; returns flags for every row and for the first row of a token."""
        walking = Signal()
        position = Signal(self._config.count_bits, reset_less=True)
        group = Signal(range(self._config.norm_groups), reset_less=True)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [walking.eq(1), position.eq(0), group.eq(0)]
        with m.Elif(walking):
            m.d.sync += group.eq(group + 1)
            with m.If(group + 1 == command.groups):
                m.d.sync += [
                    group.eq(0),
                    position.eq(position + 1),
                    walking.eq(position + 1 != command.tokens),
                ]
        m.d.comb += [self.list.enable.eq(1), self.list.position.eq(position)]
        return walking, walking & (group == 0)

    def _hold_factor(self, m: Module, command, token: Value, begins: Value) -> View:
        """Reads each token's statistics; its factor stays until that of the next one comes."""
        config = self._config
        m.submodules.norm_factor = norm_factor = NormFactor(config)
        listed = delay(m, begins, LiveTokens.READ_LATENCY, name="listed", reset_less=False)
        m.d.comb += [
            self.statistics.enable.eq(listed),
            self.statistics.token.eq(token),
            norm_factor.statistics.eq(self.statistics.statistics),
            norm_factor.dim.eq(command.dim),
            norm_factor.mean_scale.eq(command.mean),
            norm_factor.norm_scale.eq(command.norm),
        ]
        arrives = delay(m, begins, self.factor_latency(config), name="factor_arrives")
        factor = Signal(norm_factor_layout(), reset_less=True)
        with m.If(arrives):
            m.d.sync += factor.eq(norm_factor.factor)
        return factor

    def _read_residual(self, m: Module, command, token: Value, begins: Value) -> Signal:
        """Addresses a token's rows so that channels and factor meet; returns the row's group."""
        config = self._config
        address_time = self.factor_latency(config) + 1 - self.RESIDUAL_LATENCY
        waiting = address_time - 2 - LiveTokens.READ_LATENCY
        first_row = register(
            m, delay(m, token, waiting, name="token") * command.groups, name="first_row"
        )
        first = delay(m, begins, address_time - 1, name="first")
        address = Signal(range(config.residual_rows), reset_less=True)
        group = Signal(range(config.norm_groups), reset_less=True)
        with m.If(first):
            m.d.sync += [address.eq(first_row), group.eq(0)]
        with m.Else():
            m.d.sync += [address.eq(address + 1), group.eq(group + 1)]
        m.d.comb += [
            self.residual.enable.eq(1),
            self.residual.address.eq(address),
            self.activations.address.eq(
                delay(m, address, self.RESIDUAL_LATENCY + self.APPLY_LATENCY, name="address")
            ),
        ]
        return group

    def _apply(self, m: Module, factor: View, group: Signal) -> None:
        """Normalises a row of channels a cycle."""
        shifts = self._channel_shifts(m, group)
        multiplier = register(m, factor.multiplier, name="multiplier")
        shift = delay(m, factor.shift, 2, name="shift")
        for i in range(self._config.norm_channels):
            channel = register(m, self.residual.data[i], name=f"channel_{i}")
            distance = Signal(signed(DEVIATION_BITS), name=f"distance_{i}", reset_less=True)
            m.d.sync += distance.eq((channel << numerics.NORM_MEAN_FRACTION_BITS) - factor.mean)
            product = register(m, distance * multiplier, name=f"product_{i}")
            shifted = register(m, product >> shift, name=f"shifted_{i}")
            cut = Signal(signed(CUT_BITS), name=f"cut_{i}", reset_less=True)
            m.d.sync += cut.eq(saturate(shifted, CUT_BITS))
            halves = register(m, cut >> shifts[i], name=f"halves_{i}")
            result = Signal(signed(RESULT_BITS), name=f"result_{i}", reset_less=True)
            m.d.sync += result.eq(saturate_half(halves, RESULT_BITS))
            m.d.comb += self.activations.data[i].eq(result)

    def _channel_shifts(self, m: Module, group: Signal) -> View:
        """k of the channels that have just been cut, four cycles after they were registered."""
        shape = channel_shifts_layout(self._config)
        m.submodules.channel_shifts = memory = RowMemory(
            depth=self._config.norm_groups, shape=shape
        )
        m.d.comb += [
            memory.write_enable.eq(self.shifts.valid),
            memory.write_address.eq(self.shifts.address),
            memory.write_data.eq(self.shifts.data),
            memory.read.enable.eq(1),
            memory.read.address.eq(delay(m, group, 4, name="group")),
        ]
        return register(m, memory.read.data, name="shifts")

    def _write(self, m: Module, walking: Signal) -> None:
        """Marks the results of the rows, which have no gaps; the unit is idle after the last."""
        latency = self.latency(self._config)
        next_valid = delay(m, walking, latency - 2, name="walked", reset_less=False)
        m.d.sync += self.activations.valid.eq(next_valid)
        idle = Signal(init=1)
        m.d.comb += self.start.ready.eq(idle)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += idle.eq(0)
        with m.Elif(self.activations.valid & ~next_valid):
            m.d.sync += idle.eq(1)
