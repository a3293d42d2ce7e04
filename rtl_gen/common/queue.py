"""A first-in first-out queue in registers, with stream ports.

An item accepted in one cycle is offered in the next (latency 1); the queue sustains one item a
cycle. Meant for a few narrow items: the head is a multiplexer over all places.
"""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Queue(wiring.Component):
    """
    Parameters
    ----------
    shape : payload shape
    depth : places, a power of two

    Attributes
    ----------
    i, o : in and out, streams
    """

    LATENCY = 1

    def __init__(self, shape, depth: int):
        if depth & (depth - 1) or depth < 2:
            raise ValueError(f"depth = {depth}: expected a power of two of at least 2")
        self._shape, self._depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        places = Array(
            Signal(self._shape, name=f"place_{i}", reset_less=True) for i in range(self._depth)
        )
        head = Signal(range(self._depth))
        tail = Signal(range(self._depth))
        level = Signal(range(self._depth + 1))
        m.d.comb += [
            self.i.ready.eq(level != self._depth),
            self.o.valid.eq(level != 0),
            self.o.payload.eq(places[head]),
        ]
        push = self.i.valid & self.i.ready
        pop = self.o.valid & self.o.ready
        with m.If(push):
            m.d.sync += [places[tail].eq(self.i.payload), tail.eq(tail + 1)]
        with m.If(pop):
            m.d.sync += head.eq(head + 1)
        m.d.sync += level.eq(level + Mux(push, 1, 0) - Mux(pop, 1, 0))
        return m
