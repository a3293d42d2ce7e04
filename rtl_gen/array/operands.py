"""Operand registers of the MAC array, and the choice of what they take.

* Attention: the row is the query memory's latch, the vectors are the K/V banks' latches, every
  cycle.
* Linear (`linear` high): the row is the latch of `source`; the vectors take a tile of weights when
  `take` is high and keep it for the whole pass.

LATENCY = 1 from memory latch to operand.
"""

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import row_layout
from rtl_gen.interfaces.program import Source


class OperandRegisters(wiring.Component):
    """
    Attributes
    ----------
    linear, source, take : the mode, see above
    query, activation, hidden, banks, weights : what can become an operand
    scalars_in, scale_lanes_in : attention's scalars beside its latches
    row, scalars, scale_lanes, vectors : operands
    """

    LATENCY = 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        row = row_layout(config)
        scalars = ArrayLayout(numerics.EXP_BITS, config.lanes)
        vectors = ArrayLayout(row, config.lanes)
        super().__init__(
            {
                "linear": In(1),
                "source": In(Source),
                "take": In(1),
                "query": In(row),
                "activation": In(row),
                "hidden": In(row),
                "banks": In(vectors),
                "weights": In(vectors),
                "scalars_in": In(scalars),
                "scale_lanes_in": In(1),
                "row": Out(row),
                "scalars": Out(scalars),
                "scale_lanes": Out(1),
                "vectors": Out(vectors),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [
            self.scalars.eq(self.scalars_in),
            self.scale_lanes.eq(self.scale_lanes_in & ~self.linear),
        ]
        with m.If(~self.linear):
            m.d.sync += self.row.eq(self.query)
        with m.Elif(self.source == Source.ACTIVATION):
            m.d.sync += self.row.eq(self.activation)
        with m.Else():
            m.d.sync += self.row.eq(self.hidden)
        with m.If(~self.linear | self.take):
            m.d.sync += self.vectors.eq(
                Mux(self.linear, self.weights.as_value(), self.banks.as_value())
            )
        return m
