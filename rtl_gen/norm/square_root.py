"""Exact integer square root: a pipelined digit-by-digit root, one result bit a stage.

root = floor(sqrt(value)). Each stage appends two bits of the value to the remainder and subtracts
4 * root + 1 if that fits: the binary form of the pen-and-paper method (I. Koren, Computer
Arithmetic Algorithms, chapter 9).

One value a cycle, latency(bits) cycles, no back-pressure.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl_gen.common.pipeline import register
from rtl_gen.interfaces.ports import function


class SquareRoot(wiring.Component):
    """
    Parameters
    ----------
    bits : width of the value

    Attributes
    ----------
    call : in, a function of latency(bits) cycles: from an unsigned value to its root
    """

    @staticmethod
    def latency(bits: int) -> int:
        """Cycles from a value to its root, and the width of the root."""
        return -(-bits // 2)

    def __init__(self, bits: int):
        self._root_bits = self.latency(bits)
        super().__init__({"call": In(function(unsigned(bits), unsigned(self._root_bits)))})

    def elaborate(self, platform):
        m = Module()
        pending = Signal(2 * self._root_bits)
        m.d.comb += pending.eq(self.call.argument)
        remainder, root = Const(0, 0), Const(0, 0)
        for stage in range(1, self._root_bits + 1):
            extended = Signal(stage + 2, name=f"extended_{stage}")
            difference = Signal(signed(stage + 3), name=f"difference_{stage}")
            fits = ~difference[-1]
            m.d.comb += [
                extended.eq(Cat(pending[-2:], remainder)),
                difference.eq(extended - Cat(Const(1, 2), root)),
            ]
            # A remainder is at most twice its root.
            next_remainder = Signal(stage + 1, name=f"remainder_{stage}", reset_less=True)
            m.d.sync += next_remainder.eq(Mux(fits, difference, extended))
            remainder, root = next_remainder, register(m, Cat(fits, root), name=f"root_{stage}")
            pending = register(m, pending[:-2], name=f"pending_{stage}")
        m.d.comb += self.call.result.eq(root)
        return m
