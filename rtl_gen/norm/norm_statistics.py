"""Statistics of LayerNorm: each token's sum and sum of squares, beside the residual writes.

A write carries `lanes` channels of one token, one write a cycle. `first` marks the first write of a
token since its last norm: its sums start there.

A sum is read, increased and written back without forwarding: two writes of the same token must be
at least REVISIT_CYCLES apart, with any other tokens between them.
"""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.common.pipeline import delay, reduce_tree, register, tree_latency
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import statistics_layout


def statistics_read_signature(config: AcceleratorConfig) -> wiring.Signature:
    """LayerNorm's side: `statistics` answers an enabled `token` READ_LATENCY cycles later."""
    return wiring.Signature(
        {
            "enable": Out(1),
            "token": Out(config.token_bits),
            "statistics": In(statistics_layout(config)),
        }
    )


class NormStatistics(wiring.Component):
    """
    Attributes
    ----------
    valid : a write happens in this cycle
    token, first, values : its token, whether the sums start from zero, `lanes` int16 channels
    read : LayerNorm's read port; only while no write has been valid for latency(config) cycles
    """

    READ_LATENCY = 2
    """The memory's latch and an output register."""

    REVISIT_CYCLES = READ_LATENCY + 2
    """Least distance of two writes of the same token: read, add, write."""

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        """Cycles from a write to the first in which a read of its token sees it."""
        return 3 + tree_latency(config.lanes)

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "valid": In(1),
                "token": In(config.token_bits),
                "first": In(1),
                "values": In(ArrayLayout(signed(numerics.RESIDUAL_BITS), config.lanes)),
                "read": In(statistics_read_signature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.memory = memory = Memory(
            shape=statistics_layout(config), depth=config.max_tokens, init=[]
        )
        read, write = memory.read_port(), memory.write_port()

        values = list(self.values)
        squares = [register(m, v * v, name=f"square_{i}") for i, v in enumerate(values)]
        values = [register(m, v, name=f"value_{i}") for i, v in enumerate(values)]
        add_total = reduce_tree(m, values, _plus, name="add_total")
        add_squares = reduce_tree(m, squares, _plus, name="add_squares")

        # The old sums meet the increments behind the trees.
        to_add = 1 + tree_latency(config.lanes)
        add_valid = delay(m, self.valid, to_add, name="add_valid", reset_less=False)
        add_first = delay(m, self.first, to_add, name="add_first")
        read_token = delay(m, self.token, to_add - self.READ_LATENCY, name="read_token")
        add_token = delay(m, read_token, self.READ_LATENCY, name="add_token")
        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(Mux(self.read.enable, self.read.token, read_token)),
        ]
        stored = register(m, read.data, name="stored")
        m.d.comb += self.read.statistics.eq(stored)

        updated = Signal(statistics_layout(config), reset_less=True)
        m.d.sync += [
            updated.total.eq(Mux(add_first, 0, stored.total) + add_total),
            updated.squares.eq(Mux(add_first, 0, stored.squares) + add_squares),
        ]
        m.d.comb += [
            write.en.eq(register(m, add_valid, name="write_valid", reset_less=False)),
            write.addr.eq(register(m, add_token, name="write_token")),
            write.data.eq(updated),
        ]
        return m


def _plus(a, b):
    return a + b
