"""Reciprocal of an unsigned integer: a pipelined restoring divider.

For S > 0 with bit length n the mantissa is floor((2^(n + 15) - 1) / S), in [2^15, 2^16), so that
1 / S ~ mantissa * 2^(-15 - n). S = 0 has n = 0 and gives an arbitrary mantissa.

One value a cycle, LATENCY = 18 cycles: one to find n, one to left-align S, one a quotient bit. No
back-pressure.
"""

from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In

from rtl_gen import numerics
from rtl_gen.common.pipeline import delay, register
from rtl_gen.interfaces.ports import function


def reciprocal_layout(bits: int) -> StructLayout:
    """Mantissa and bit length n of the reciprocal of S, which has `bits` bits."""
    return StructLayout({"mantissa": unsigned(numerics.RECIPROCAL_BITS), "length": range(bits + 1)})


class Reciprocal(wiring.Component):
    """
    Parameters
    ----------
    bits : width of S

    Attributes
    ----------
    call : in, a function of LATENCY cycles: from S to its reciprocal
    """

    LATENCY = 2 + numerics.RECIPROCAL_BITS

    def __init__(self, bits: int):
        self._bits = bits
        super().__init__({"call": In(function(unsigned(bits), reciprocal_layout(bits)))})

    def elaborate(self, platform):
        m = Module()
        bits, argument, result = self._bits, self.call.argument, self.call.result

        length = Signal(range(bits + 1), reset_less=True)
        align = Signal(range(bits), reset_less=True)
        m.d.sync += length.eq(0)
        for bit in range(bits):
            with m.If(argument[bit]):
                m.d.sync += [length.eq(bit + 1), align.eq(bits - 1 - bit)]
        value = register(m, argument, name="value_reg")

        divisor = Signal(bits, reset_less=True)
        m.d.sync += divisor.eq(value << align)
        remainder, quotient = Const((1 << (bits - 1)) - 1, bits), Const(0, 0)
        m.d.comb += result.length.eq(delay(m, length, self.LATENCY - 1, name="length"))

        for step in range(1, numerics.RECIPROCAL_BITS + 1):
            doubled = Signal(bits + 1, name=f"doubled_{step}")
            difference = Signal(signed(bits + 2), name=f"difference_{step}")
            fits = ~difference[-1]
            m.d.comb += [doubled.eq((remainder << 1) | 1), difference.eq(doubled - divisor)]
            next_remainder = Signal(bits, name=f"remainder_{step}", reset_less=True)
            next_quotient = Signal(step, name=f"quotient_{step}", reset_less=True)
            m.d.sync += [
                next_remainder.eq(Mux(fits, difference, doubled)),
                next_quotient.eq((quotient << 1) | fits),
            ]
            divisor = register(m, divisor, name=f"divisor_{step}")
            remainder, quotient = next_remainder, next_quotient
        m.d.comb += result.mantissa.eq(quotient)
        return m
