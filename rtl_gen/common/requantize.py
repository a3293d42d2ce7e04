"""Requantisation of several accumulators by one factor: saturate(round_shift(x * multiplier,
shift)).

One vector a cycle, LATENCY = 3 cycles, no back-pressure. The factor is
sampled with its data: the multiplier is unsigned, the shift 1 to 63; rounding is half up; the
result saturates to its width.

Cycles: the multipliers (see products.py); their sum and the shift; rounding and saturation. The
shift leaves one bit below the result, which rounds it behind a register:
round_shift(p, s) = ((p >> (s - 1)) + 1) >> 1.
"""

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In

from rtl_gen import numerics
from rtl_gen.common.narrow_shift import narrow_shift
from rtl_gen.common.pipeline import register
from rtl_gen.common.products import product_parts
from rtl_gen.common.saturate import saturate_half
from rtl_gen.interfaces.layouts import scale_layout
from rtl_gen.interfaces.ports import function


class Requantizer(wiring.Component):
    """
    Parameters
    ----------
    elements : values a cycle
    input_bits, output_bits : signed widths

    Attributes
    ----------
    call : in, a function of LATENCY cycles: from the `values` and their common `scale` to the
        results
    """

    LATENCY = 3

    def __init__(self, *, elements: int, input_bits: int, output_bits: int):
        self._elements = elements
        self._input_bits, self._output_bits = input_bits, output_bits
        values = ArrayLayout(signed(input_bits), elements)
        argument = StructLayout({"values": values, "scale": scale_layout()})
        result = ArrayLayout(signed(output_bits), elements)
        super().__init__({"call": In(function(argument, result))})

    def elaborate(self, platform):
        m = Module()
        values, scale = self.call.argument.values, self.call.argument.scale
        half_shift = register(m, (scale.shift - 1)[: numerics.SHIFT_BITS], name="half_shift")
        for i in range(self._elements):
            product = product_parts(m, values[i], scale.multiplier, name=f"product_{i}")
            shifted = narrow_shift(
                m, product, half_shift, self._output_bits + 1, name=f"product_{i}"
            )
            halves = register(m, shifted, name=f"halves_{i}")
            result = register(m, saturate_half(halves, self._output_bits), name=f"result_{i}")
            m.d.comb += self.call.result[i].eq(result)
        return m
