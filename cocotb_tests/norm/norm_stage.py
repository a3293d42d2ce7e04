"""LayerNorm with the memories around it, as an accelerator wires them."""

from amaranth.hdl import Module, signed
from amaranth.lib import stream
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import channel_shifts_layout, residual_row_layout
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.norm.layer_norm import LayerNorm
from rtl_gen.norm.norm_statistics import NormStatistics
from rtl_gen.pruning.live_tokens import LiveTokens


class NormStage(Component):
    """LayerNorm, token statistics, live-token list and residual memory.

    Attributes
    ----------
    fill, done
        Those of LiveTokens.
    keep : stream, in
        Keep words of LiveTokens. Always ready.
    row : stream, in
        A row for the residual memory. Always ready.
    shifts : stream, in
        A row of channel shifts. Always ready.
    channels : stream, in
        A residual write as the statistics see it. Always ready.
    start, activations
        Those of LayerNorm.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.layer_norm = LayerNorm(config)
        self.live_tokens = LiveTokens(config)
        norm_members = self.layer_norm.signature.members
        self.row_word = StructLayout(
            {"address": range(config.residual_rows), "data": residual_row_layout(config)}
        )
        self.shifts_word = StructLayout(
            {"address": range(config.norm_groups), "data": channel_shifts_layout(config)}
        )
        self.channels_word = StructLayout(
            {
                "token": config.token_bits,
                "first": 1,
                "values": ArrayLayout(signed(numerics.RESIDUAL_BITS), config.lanes),
            }
        )
        self.keep_word = self.live_tokens.keep.p.shape()
        super().__init__(
            {
                "fill": self.live_tokens.signature.members["fill"],
                "keep": In(stream.Signature(self.keep_word)),
                "done": Out(1),
                "row": In(stream.Signature(self.row_word)),
                "shifts": In(stream.Signature(self.shifts_word)),
                "channels": In(stream.Signature(self.channels_word)),
                "start": norm_members["start"],
                "activations": norm_members["activations"],
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.layer_norm = layer_norm = self.layer_norm
        m.submodules.live_tokens = live_tokens = self.live_tokens
        m.submodules.statistics = statistics = NormStatistics(self.config)
        m.submodules.residual = residual = RowMemory(
            depth=self.config.residual_rows, shape=residual_row_layout(self.config)
        )
        connect(m, flipped(self.fill), live_tokens.fill)
        connect(m, flipped(self.start), layer_norm.start)
        connect(m, layer_norm.list, live_tokens.read)
        connect(m, layer_norm.statistics, statistics.read)
        connect(m, layer_norm.residual, residual.read)
        connect(m, layer_norm.activations, flipped(self.activations))
        m.d.comb += [
            self.done.eq(live_tokens.done),
            self.keep.ready.eq(1),
            live_tokens.keep.valid.eq(self.keep.valid),
            live_tokens.keep.p.eq(self.keep.p),
            self.row.ready.eq(1),
            self.shifts.ready.eq(1),
            self.channels.ready.eq(1),
            residual.write_enable.eq(self.row.valid),
            residual.write_address.eq(self.row.payload.address),
            residual.write_data.eq(self.row.payload.data),
            layer_norm.shifts.valid.eq(self.shifts.valid),
            layer_norm.shifts.address.eq(self.shifts.payload.address),
            layer_norm.shifts.data.eq(self.shifts.payload.data),
            statistics.valid.eq(self.channels.valid),
            statistics.token.eq(self.channels.payload.token),
            statistics.first.eq(self.channels.payload.first),
            statistics.values.eq(self.channels.payload.values),
        ]
        return m
