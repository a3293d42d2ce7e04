"""Linear layer engine: weights in, a token's slices through the array, finished channels out.

    command -> LayerQueue -> TileWalker      rows of payload -> WeightBuffer -> weights of the array
    live list, source memory -> row of the array
    dots -> Accumulators -> Epilogue -> Placement -> memories

A group of `lanes` output channels of a token is finished in the pass of its last slice and leaves
through a pipeline of fixed latency. Seen from the cycle in which the array's operand registers hold
a token's slice (a step of the walker):

    + Accumulators.latency   accumulated
    + Epilogue.LATENCY       written
"""

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import payload_port
from rtl_gen.interfaces.layouts import dots_layout, linear_operands_layout, residual_update_layout
from rtl_gen.interfaces.memories import held, reads, writes
from rtl_gen.interfaces.ports import always, function
from rtl_gen.interfaces.program import Source
from rtl_gen.linear.accumulate import Accumulators
from rtl_gen.linear.command import LINEAR
from rtl_gen.linear.epilogue import Epilogue
from rtl_gen.linear.place import Placement
from rtl_gen.linear.queue import LayerQueue
from rtl_gen.linear.tile_walker import TileWalker
from rtl_gen.linear.weight_buffer import WeightBuffer
from rtl_gen.norm.norm_statistics import NormStatistics


def linear_events_layout() -> StructLayout:
    """A layer runs; the array takes a step; a pass waits for its weights: each in this cycle."""
    return StructLayout({"running": 1, "beat": 1, "stalled": 1})


class LinearEngine(wiring.Component):
    """
    Attributes
    ----------
    linear : in, layers; the next is taken while one runs, so that its first tile loads behind it
    go : in, every other unit is idle: a waiting layer may start
    payload : in, the layers' rows
    count : in, number of live tokens, constant while a layer runs
    reads, writes : out, ports of the memories
    held : in, write port of the GELU table, while idle
    operands : out, what the operand registers take in this cycle, and the array's dot products
    updates : out, new channels of the residual stream, with their writes
    idle : out, nothing under way and nothing waiting
    events : out, for the counters
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "linear": In(LINEAR.signature(config)),
                "go": In(1),
                "payload": In(payload_port(config)),
                "count": In(config.count_bits),
                "reads": Out(reads(config, "linear")),
                "writes": Out(writes(config, "linear")),
                "held": In(held(config, "linear")),
                "operands": Out(function(linear_operands_layout(config), dots_layout(config))),
                "updates": Out(always(residual_update_layout(config))),
                "idle": Out(1),
                "events": Out(linear_events_layout()),
            }
        )

    @staticmethod
    def drain_cycles(config: AcceleratorConfig) -> int:
        """From a step at the operand registers to its results and statistics in memory."""
        to_store = Accumulators.latency(config) + Epilogue.LATENCY
        return to_store + NormStatistics.latency(config)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.queue = queue = LayerQueue(config, drain=self.drain_cycles(config))
        m.submodules.buffer = buffer = WeightBuffer(config)
        m.submodules.walker = walker = TileWalker(config)
        m.submodules.accumulators = accumulators = Accumulators(config)
        m.submodules.epilogue = epilogue = Epilogue(config)
        m.submodules.placement = placement = Placement(config)
        running, reads = queue.running, self.reads

        # Layers, payload, steps.
        connect(m, flipped(self.linear), queue.command)
        connect(m, queue.expected, buffer.layer)
        connect(m, queue.walk, walker.layer)
        connect(m, flipped(self.payload), buffer.payload)
        connect(m, walker.live_list, flipped(reads.live_list))
        for unit in (queue, accumulators, placement):
            m.d.comb += [
                unit.steps.valid.eq(walker.steps.valid),
                unit.steps.payload.eq(walker.steps.payload),
            ]

        # Operands: a row of the source in every cycle, a tile when a pass takes it.
        take = buffer.tile.valid & buffer.tile.ready
        operands = self.operands.argument
        for source, memory in (
            (Source.ACTIVATION, reads.activation),
            (Source.HIDDEN, reads.hidden),
        ):
            m.d.comb += [
                memory.enable.eq(walker.rows.valid & (running.source == source)),
                memory.address.eq(walker.rows.payload),
            ]
        m.d.comb += [
            walker.weights.valid.eq(buffer.tile.valid),
            buffer.tile.ready.eq(walker.weights.ready),
            operands.running.eq(running.active),
            operands.take.eq(take),
            operands.row.eq(
                Mux(
                    running.source == Source.ACTIVATION,
                    reads.activation.data.as_value(),
                    reads.hidden.data.as_value(),
                )
            ),
            operands.weights.eq(buffer.tile.payload.weights),
            accumulators.parameters.valid.eq(take),
            accumulators.parameters.payload.eq(buffer.tile.payload.parameters),
            accumulators.dots.eq(self.operands.result),
        ]

        # Finished groups.
        connect(m, accumulators.totals, epilogue.totals)
        connect(m, placement.places, epilogue.places)
        connect(m, epilogue.results, placement.results)
        connect(m, epilogue.residual, flipped(reads.residual))
        connect(m, flipped(self.held.gelu), epilogue.gelu)
        connect(m, placement.writes, flipped(self.writes))
        connect(m, placement.updates, flipped(self.updates))

        m.d.comb += [
            queue.go.eq(self.go),
            walker.count.eq(self.count),
            placement.layer.eq(running),
            self.idle.eq(queue.idle),
            self.events.running.eq(running.active),
            self.events.beat.eq(walker.steps.valid),
            self.events.stalled.eq(buffer.tile.ready & ~buffer.tile.valid),
        ]
        return m
