"""Queue of linear layers: one runs, the next waits while its first tile is loaded behind it.

A command is taken when none waits and all rows of the one before have come. The waiting layer
starts when `go` is high and the running one has drained: DRAIN after its last step all that it
changes is in memory.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.common.contract import require
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.ports import always
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.linear.command import LINEAR
from rtl_gen.linear.tile_walker import step_layout


def running_layout() -> StructLayout:
    """The layer that runs, if `active`: from its start until it has drained."""
    return StructLayout({"active": 1, "source": Source, "destination": Destination})


class LayerQueue(wiring.Component):
    """
    Parameters
    ----------
    drain : cycles from a step to all that it changes

    Attributes
    ----------
    command : in, layers
    go : in, whether a waiting layer may start
    expected : out, the command in the cycle in which it is taken, for the weight buffer
    walk : out, the layer that starts, for the walker, which is ready by then
    steps : in, those of the running layer
    running : out, the layer that runs, in registers
    idle : out, none runs and none waits
    """

    def __init__(self, config: AcceleratorConfig, *, drain: int):
        self._drain = drain
        layers = LINEAR.signature(config)
        super().__init__(
            {
                "command": In(layers),
                "go": In(1),
                "expected": Out(layers),
                "walk": Out(layers),
                "steps": In(always(step_layout(config))),
                "running": Out(running_layout()),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        waiting, draining = Signal(), Signal(range(self._drain + 1))
        layer = Signal.like(self.command.payload)
        start = Signal()
        m.d.comb += [
            self.expected.valid.eq(self.command.valid & ~waiting),
            self.expected.payload.eq(self.command.payload),
            self.command.ready.eq(self.expected.ready & ~waiting),
            self.walk.valid.eq(waiting & ~self.running.active & self.go),
            self.walk.payload.eq(layer),
            start.eq(self.walk.valid & self.walk.ready),
            self.idle.eq(~waiting & ~self.running.active),
        ]
        require(
            m, ~self.walk.valid | self.walk.ready, "linear: a layer starts while another is walked"
        )
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [waiting.eq(1), layer.eq(self.command.payload)]
        with m.If(start):
            m.d.sync += [
                waiting.eq(0),
                self.running.active.eq(1),
                self.running.source.eq(layer.source),
                self.running.destination.eq(layer.destination),
            ]
        with m.Elif(self.walk.ready & ~self.steps.valid & (draining <= 1)):
            m.d.sync += self.running.active.eq(0)
        with m.If(self.steps.valid):
            m.d.sync += draining.eq(self._drain)
        with m.Elif(draining != 0):
            m.d.sync += draining.eq(draining - 1)
        return m
