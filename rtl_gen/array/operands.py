"""Operand registers of the MAC array, and the choice of who works with it.

* Attention: row, vectors and scalars are what the memories' latches hold, in every cycle. The
  factors are the row, or with `scale_lanes` the scalars.
* Linear (`running`): the row likewise; the vectors take a tile of weights when `take` is high and
  keep it for the whole pass (weight-stationary).

A factor is chosen in front of its register, so that multipliers begin at registers of their own.

LATENCY = 1 from what is offered to the array's operands. Sums come straight from the array.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.common.pipeline import data_register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import (
    array_sums_layout,
    dots_layout,
    factors_layout,
    linear_operands_layout,
    operands_layout,
    row_layout,
)
from rtl_gen.interfaces.ports import function


class OperandRegisters(wiring.Component):
    """
    Attributes
    ----------
    linear, attention : in, what the two offer in this cycle
    array : out, the operands and the array's sums
    """

    LATENCY = 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        sums = array_sums_layout(config)
        super().__init__(
            {
                "linear": In(function(linear_operands_layout(config), dots_layout(config))),
                "attention": In(function(operands_layout(config), sums)),
                "array": Out(function(factors_layout(config), sums)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        linear, attention = self.linear.argument, self.attention.argument
        operands = data_register(m, self.array.argument, name="operands")

        def choose(of_linear, of_attention):
            return Mux(linear.running, of_linear.as_value(), of_attention.as_value())

        row = Signal(row_layout(self._config))
        scaling = Signal()
        m.d.comb += [
            row.eq(choose(linear.row, attention.row)),
            scaling.eq(attention.lanes.scale_lanes & ~linear.running),
        ]
        for factors, scalar in zip(operands.factors, attention.lanes.scalars, strict=True):
            m.d.sync += [
                factor.eq(Mux(scaling, scalar, channel))
                for factor, channel in zip(factors, row, strict=True)
            ]
        with m.If(~linear.running | linear.take):
            m.d.sync += operands.vectors.eq(choose(linear.weights, attention.vectors))
        m.d.comb += [
            self.linear.result.eq(self.array.result.dots),
            self.attention.result.eq(self.array.result),
        ]
        return m
