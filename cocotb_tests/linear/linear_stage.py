"""The linear engine with array, live-token list and memories around it, as the core wires them."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import enum, stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import row_layout
from rtl_gen.interfaces.program import Destination
from rtl_gen.linear.linear import LinearEngine
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.pruning.live_tokens import LiveTokens


class Place(enum.IntEnum, shape=2):
    """Memories that the bench fills."""

    ACTIVATION = 0
    HIDDEN = 1
    RESIDUAL = 2


class LinearStage(Component):
    """
    Results for the residual memory are written to it; what goes elsewhere is only shown.

    Attributes
    ----------
    fill, keep, done
        Those of LiveTokens; `keep` as a stream that is always ready.
    load : stream, in
        A row for a memory. Always ready; only while the engine is idle.
    command, go, feeding, rows, gelu_write, gelu_address, gelu_data, running, idle, beat, stalled,
    result_valid, result
        Those of LinearEngine.
    """

    SHOWN = (
        "command",
        "go",
        "feeding",
        "rows",
        "gelu_write",
        "gelu_address",
        "gelu_data",
        "running",
        "idle",
        "beat",
        "stalled",
        "result_valid",
        "result",
    )

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.engine = LinearEngine(config)
        self.live_tokens = LiveTokens(config)
        members = self.engine.signature.members
        self.keep_word = self.live_tokens.keep.payload.shape()
        self.load_word = StructLayout(
            {
                "place": Place,
                "address": range(config.hidden_rows),
                "data": unsigned(config.row_bits),
            }
        )
        super().__init__(
            {
                "fill": self.live_tokens.signature.members["fill"],
                "keep": In(stream.Signature(self.keep_word)),
                "done": Out(1),
                "load": In(stream.Signature(self.load_word)),
                **{name: members[name] for name in self.SHOWN},
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        row = row_layout(config)
        m.submodules.engine = engine = self.engine
        m.submodules.live_tokens = live_tokens = self.live_tokens
        m.submodules.operands = operands = OperandRegisters(config)
        m.submodules.array = array = MacArray(config)
        m.submodules.activation = activation = RowMemory(depth=config.activation_rows, shape=row)
        m.submodules.hidden = hidden = RowMemory(depth=config.hidden_rows, shape=row)
        m.submodules.residual = residual = RowMemory(
            depth=config.residual_rows, shape=config.row_bits, chunks=config.chunks
        )
        connect(m, flipped(self.fill), live_tokens.fill)
        connect(m, engine.list, live_tokens.read)
        connect(m, flipped(self.command), engine.command)
        connect(m, flipped(self.rows), engine.rows)
        for name in self.SHOWN:
            if name not in ("command", "rows"):
                inside, outside = getattr(engine, name), getattr(self, name)
                inward = engine.signature.members[name].flow is In
                m.d.comb += inside.eq(outside) if inward else outside.eq(inside)
        m.d.comb += [
            self.keep.ready.eq(1),
            live_tokens.keep.valid.eq(self.keep.valid),
            live_tokens.keep.payload.eq(self.keep.payload),
            self.done.eq(live_tokens.done),
            engine.count.eq(live_tokens.count),
            operands.linear.eq(engine.running),
            operands.source.eq(engine.source),
            operands.take.eq(engine.take),
            operands.weights.eq(engine.weights),
            operands.activation.eq(activation.read.data),
            operands.hidden.eq(hidden.read.data),
            array.row.eq(operands.row),
            array.scale_lanes.eq(operands.scale_lanes),
            array.vectors.eq(operands.vectors),
            engine.dots.eq(array.dots),
            self.load.ready.eq(1),
        ]
        for memory in (activation, hidden):
            m.d.comb += [
                memory.read.enable.eq(engine.source_enable),
                memory.read.address.eq(engine.source_address),
            ]
        m.d.comb += [
            residual.read.enable.eq(engine.residual.enable),
            residual.read.address.eq(engine.residual.address),
            engine.residual.data.eq(residual.read.data),
        ]
        loaded = self.load.payload
        for place, memory in (
            (Place.ACTIVATION, activation),
            (Place.HIDDEN, hidden),
            (Place.RESIDUAL, residual),
        ):
            m.d.comb += [
                memory.write_enable.eq(
                    (self.load.valid & (loaded.place == place)).replicate(len(memory.write_enable))
                ),
                memory.write_address.eq(loaded.address),
                memory.write_data.eq(loaded.data),
            ]
        with m.If(engine.result_valid & (engine.result.destination == Destination.RESIDUAL)):
            m.d.comb += [
                residual.write_enable.eq(engine.result.chunks),
                residual.write_address.eq(engine.result.row),
                residual.write_data.eq(engine.result.data),
            ]
        return m
