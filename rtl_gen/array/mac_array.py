"""The MAC array: `lanes` x `width` int8 multipliers with two reductions.

Operands of one beat arrive together: `row` (width int8, broadcast to all lanes), `scalars` (one
unsigned 8-bit factor a lane) and `vectors` (width int8 a lane).

* **Lane reduction** (QK^T, which is SDDMM, and linear layers; `scale_lanes` = 0): every lane dots
  its vector with the row. `dots` are signed, `dot_bits` wide, dot_latency after the operands.
* **Column reduction** (PV, which is SpMM; `scale_lanes` = 1): every lane scales its vector by its
  scalar and the lanes are summed. `columns` are signed, 16 + log2(lanes) bits, column_latency
  after the operands.

One beat a cycle, no back-pressure. A product of int8 x int8 or uint8 x int8 fits 16 signed bits.
"""

from operator import add

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl_gen.common.pipeline import reduce_tree, register, tree_latency
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import PRODUCT_BITS, array_sums_layout, operands_layout
from rtl_gen.interfaces.ports import function


class MacArray(wiring.Component):
    """
    Attributes
    ----------
    compute : in, operands to sums, see the module's docstring
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {"compute": In(function(operands_layout(config), array_sums_layout(config)))}
        )

    @staticmethod
    def dot_latency(config: AcceleratorConfig) -> int:
        return 1 + tree_latency(config.width)

    @staticmethod
    def column_latency(config: AcceleratorConfig) -> int:
        return 1 + tree_latency(config.lanes)

    def elaborate(self, platform):
        m = Module()
        lanes, width = range(self._config.lanes), range(self._config.width)
        operands, sums = self.compute.argument, self.compute.result

        def product(lane: int, channel: int) -> Signal:
            scalar = operands.lanes.scalars[lane]
            factor = Signal(signed(9), name=f"factor_{lane}_{channel}")
            m.d.comb += factor.eq(Mux(operands.lanes.scale_lanes, scalar, operands.row[channel]))
            exact = Signal(signed(PRODUCT_BITS), name=f"product_{lane}_{channel}")
            m.d.comb += exact.eq(factor * operands.vectors[lane][channel])
            return register(m, exact, name=f"product_reg_{lane}_{channel}")

        products = [[product(lane, channel) for channel in width] for lane in lanes]
        for lane in lanes:
            m.d.comb += sums.dots[lane].eq(reduce_tree(m, products[lane], add, name=f"dot_{lane}"))
        for channel in width:
            column = [products[lane][channel] for lane in lanes]
            m.d.comb += sums.columns[channel].eq(
                reduce_tree(m, column, add, name=f"column_{channel}")
            )
        return m
