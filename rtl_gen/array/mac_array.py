"""The MAC array: `lanes` x `width` int8 multipliers with two reductions.

Operands of one beat arrive together: `row` (width int8, broadcast to all lanes), `scalars` (one
unsigned 8-bit factor a lane) and `vectors` (width int8 a lane).

* **Lane reduction** (QK^T and linear layers, `scale_lanes` = 0): every lane dots its vector with
  the row. `dots` are signed, `dot_bits` wide, DOT_LATENCY cycles after the operands.
* **Column reduction** (PV, `scale_lanes` = 1): every lane scales its vector by its scalar and the
  lanes are summed. `columns` are signed, 16 + log2(lanes) bits, COLUMN_LATENCY cycles after.

One beat a cycle, no back-pressure. A product of int8 x int8 or uint8 x int8 fits 16 signed bits.
"""

from operator import add

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.common.pipeline import reduce_tree, register, tree_latency
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import PRODUCT_BITS, columns_layout, dots_layout, row_layout


class MacArray(wiring.Component):
    """See the module's docstring for the dataflow."""

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "scale_lanes": In(1),
                "row": In(row_layout(config)),
                "scalars": In(ArrayLayout(numerics.EXP_BITS, config.lanes)),
                "vectors": In(ArrayLayout(row_layout(config), config.lanes)),
                "dots": Out(dots_layout(config)),
                "columns": Out(columns_layout(config)),
            }
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

        def product(lane: int, channel: int) -> Signal:
            factor = Signal(signed(9), name=f"factor_{lane}_{channel}")
            m.d.comb += factor.eq(Mux(self.scale_lanes, self.scalars[lane], self.row[channel]))
            exact = Signal(signed(PRODUCT_BITS), name=f"product_{lane}_{channel}")
            m.d.comb += exact.eq(factor * self.vectors[lane][channel])
            return register(m, exact, name=f"product_reg_{lane}_{channel}")

        products = [[product(lane, channel) for channel in width] for lane in lanes]
        for lane in lanes:
            m.d.comb += self.dots[lane].eq(reduce_tree(m, products[lane], add, name=f"dot_{lane}"))
        for channel in width:
            column = [products[lane][channel] for lane in lanes]
            m.d.comb += self.columns[channel].eq(
                reduce_tree(m, column, add, name=f"column_{channel}")
            )
        return m
