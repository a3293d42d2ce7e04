"""The MAC array: `lanes` x `width` int8 multipliers with two reductions.

Every multiplier has a factor and a channel of its lane's vector (int8). OperandRegisters makes the
factors of a beat: channels of a row (int8) for all lanes, or a scalar (uint8) for all of a lane.

* **Lane reduction** (QK^T, which is SDDMM, and linear layers): every lane dots its vector with the
  row. `dots` are signed, `dot_bits` wide, dot_latency after the operands.
* **Column reduction** (PV, which is SpMM): every lane scales its vector by its scalar and the lanes
  are summed. `columns` are signed, 16 + log2(lanes) bits, column_latency after the operands.

Both are made of every beat, the one that means something is taken. One beat a cycle, no
back-pressure. A product of int8 x int8 or uint8 x int8 fits 16 signed bits. Nothing stands between
the operands' registers and the multipliers, so that an FPGA's have both inside.
"""

from operator import add

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl_gen.common.pipeline import reduce_tree, register, tree_latency
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import PRODUCT_BITS, array_sums_layout, factors_layout
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
            {"compute": In(function(factors_layout(config), array_sums_layout(config)))}
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
            exact = Signal(signed(PRODUCT_BITS), name=f"product_{lane}_{channel}")
            m.d.comb += exact.eq(operands.factors[lane][channel] * operands.vectors[lane][channel])
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
