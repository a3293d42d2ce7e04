"""Statistics of LayerNorm: each token's sum and sum of squares, beside the residual writes.

An update carries `lanes` channels of one token, one a cycle. `first` marks the first of a token
since its last norm: its sums start there.

A sum is read, increased and written back without forwarding: two updates of the same token must be
at least REVISIT_CYCLES apart, with any other tokens between them.
"""

from functools import reduce
from operator import add, or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, reduce_tree, register, tree_latency
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import residual_update_layout, statistics_layout
from rtl_gen.interfaces.ports import always, read_port
from rtl_gen.memory.row_memory import RowMemory


class NormStatistics(wiring.Component):
    """
    Attributes
    ----------
    updates : in, residual channels as they are written
    read : in, the statistics of a token READ_LATENCY cycles after its address; only when there has
        been no update for latency(config) cycles
    """

    READ_LATENCY = 2
    """The memory's latch and an output register."""

    REVISIT_CYCLES = READ_LATENCY + 2
    """Least distance of two updates of the same token: read, add, write."""

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        """Cycles from an update to the first in which a read of its token sees it."""
        return 3 + tree_latency(config.lanes)

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "updates": In(always(residual_update_layout(config))),
                "read": In(read_port(config.max_tokens, statistics_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.memory = memory = RowMemory(
            depth=config.max_tokens, shape=statistics_layout(config)
        )
        read, write = memory.read, memory.write

        update = self.updates.payload
        values = list(update.values)
        squares = [register(m, v * v, name=f"square_{i}") for i, v in enumerate(values)]
        values = [register(m, v, name=f"value_{i}") for i, v in enumerate(values)]
        add_total = reduce_tree(m, values, add, name="add_total")
        add_squares = reduce_tree(m, squares, add, name="add_squares")

        # The old sums meet the increments behind the trees.
        to_add = 1 + tree_latency(config.lanes)
        read_at = to_add - self.READ_LATENCY
        read_valid = delay(m, self.updates.valid, read_at, name="read_valid", reset_less=False)
        add_valid = delay(m, read_valid, self.READ_LATENCY, name="add_valid", reset_less=False)
        add_first = delay(m, update.first, to_add, name="add_first")
        read_token = delay(m, update.token, read_at, name="read_token")
        add_token = delay(m, read_token, self.READ_LATENCY, name="add_token")
        m.d.comb += [
            read.enable.eq(self.read.enable | read_valid),
            read.address.eq(Mux(self.read.enable, self.read.address, read_token)),
        ]
        stored = register(m, read.data, name="stored")
        m.d.comb += self.read.data.eq(stored)

        updated = Signal(statistics_layout(config), reset_less=True)
        m.d.sync += [
            updated.total.eq(Mux(add_first, 0, stored.total) + add_total),
            updated.squares.eq(Mux(add_first, 0, stored.squares) + add_squares),
        ]
        m.d.comb += [
            write.enable.eq(register(m, add_valid, name="write_valid", reset_less=False)),
            write.address.eq(register(m, add_token, name="write_token")),
            write.data.eq(updated),
        ]
        self._contract(m)
        return m

    def _contract(self, m: Module) -> None:
        valid, token = [self.updates.valid], [self.updates.payload.token]
        for age in range(1, self.latency(self._config)):
            valid.append(register(m, valid[-1], name=f"valid_{age}", reset_less=False))
            token.append(register(m, token[-1], name=f"token_{age}"))
        recent = range(1, self.REVISIT_CYCLES)
        revisit = reduce(or_, (valid[age] & (token[age] == token[0]) for age in recent))
        require(m, ~(valid[0] & revisit), "norm statistics: a token is updated again too early")
        require(m, ~(self.read.enable & reduce(or_, valid)), "norm statistics: read while updated")
