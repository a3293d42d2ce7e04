"""Checksum: the CRC-32 of a program's rows, see rtl_gen/interfaces/checksum.py.

A row a cycle. Its parts become 32 bits each, beside one another; behind a register they are added
to what the register of the CRC has become a row later. Either is a sum (XOR) of some 32 bits.
"""

from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In

from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.checksum import CHECKSUM_BITS, RESIDUE, contributions, register_of
from rtl_gen.interfaces.ports import function

PART_BITS = 64
"""Of a row that are added up between two registers."""


class Checksum(wiring.Component):
    """
    Attributes
    ----------
    check : in, from a `row` that `counts`, or any that does not, to whether the checksum is
        RESIDUE behind it; `restart` forgets all rows, those under way as well
    """

    LATENCY = 3

    def __init__(self, config: AcceleratorConfig):
        self._width = config.width
        argument = StructLayout({"row": config.row_bits, "counts": 1, "restart": 1})
        super().__init__({"check": In(function(argument, 1))})

    def elaborate(self, platform):
        m = Module()
        columns = contributions(self._width)
        state = Signal(CHECKSUM_BITS, init=register_of(0))
        argument, counts = self.check.argument, Signal()
        row = argument.row
        parts = [
            register(m, _sums(row[at : at + PART_BITS], columns[at:]), name=f"part_{at}")
            for at in range(0, len(row), PART_BITS)
        ]
        m.d.sync += [
            counts.eq(argument.counts),
            self.check.result.eq(state == register_of(RESIDUE)),
        ]
        with m.If(argument.restart):
            m.d.sync += [counts.eq(0), state.eq(state.init)]
        with m.Elif(counts):
            m.d.sync += state.eq(reduce(xor, parts, _sums(state, columns)))
        return m


def _sums(bits: Value, columns: list[int]) -> Value:
    """The sum over the columns of the bits that are set."""
    rows = (
        sum((columns[i] >> bit & 1) << i for i in range(len(bits))) for bit in range(CHECKSUM_BITS)
    )
    return Cat((bits & row).xor() for row in rows)
