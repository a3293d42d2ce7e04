"""Requantisation of several accumulators by one factor: saturate(round_shift(x * multiplier,
shift)).

One vector a cycle, LATENCY = 3 cycles, no back-pressure. The factor is
sampled with its data: the multiplier is unsigned, the shift 1 to 63; rounding is half up; the
result saturates to its width.
"""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics


class Requantizer(wiring.Component):
    """
    Parameters
    ----------
    elements : values a cycle
    input_bits, output_bits : signed widths

    Attributes
    ----------
    values, multiplier, shift : accumulators and their common factor
    results : LATENCY cycles later
    """

    LATENCY = 3

    def __init__(self, *, elements: int, input_bits: int, output_bits: int):
        self._elements = elements
        self._input_bits, self._output_bits = input_bits, output_bits
        super().__init__(
            {
                "values": In(ArrayLayout(signed(input_bits), elements)),
                "multiplier": In(numerics.MULTIPLIER_BITS),
                "shift": In(numerics.SHIFT_BITS),
                "results": Out(ArrayLayout(signed(output_bits), elements)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        product_bits = self._input_bits + numerics.MULTIPLIER_BITS
        highest = (1 << (self._output_bits - 1)) - 1
        # A shift of product_bits or more rounds every product to zero, so it is cut there.
        shift = Signal(range(product_bits + 1), reset_less=True)
        half = Signal(product_bits, reset_less=True)
        with m.If(self.shift > product_bits):
            m.d.sync += [shift.eq(product_bits), half.eq(1 << (product_bits - 1))]
        with m.Else():
            m.d.sync += [shift.eq(self.shift), half.eq((1 << self.shift) >> 1)]
        for i in range(self._elements):
            product = Signal(signed(product_bits), name=f"product_{i}", reset_less=True)
            m.d.sync += product.eq(self.values[i] * self.multiplier)
            rounded = Signal(signed(product_bits + 1), name=f"rounded_{i}", reset_less=True)
            m.d.sync += rounded.eq((product + half) >> shift)
            with m.If(rounded > highest):
                m.d.sync += self.results[i].eq(highest)
            with m.Elif(rounded < -highest - 1):
                m.d.sync += self.results[i].eq(-highest - 1)
            with m.Else():
                m.d.sync += self.results[i].eq(rounded)
        return m
