"""A broadcast of a stream like those between dispatcher and cores."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.core.broadcast import broadcast

NAME = "some"


class SomeBroadcast(wiring.Component):
    """
    Attributes
    ----------
    source : in
    chosen : in, a bit a sink
    sinks : out
    """

    def __init__(self, sinks: int):
        items = stream.Signature(16)
        super().__init__(
            {"source": In(items), "chosen": In(sinks), "sinks": Out(items).array(sinks)}
        )

    def elaborate(self, platform):
        m = Module()
        broadcast(m, NAME, self.source, self.chosen, self.sinks)
        return m
