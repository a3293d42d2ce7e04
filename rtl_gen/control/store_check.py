"""Store check: where the rows of a command go in memory, and whether they may."""

from amaranth.hdl import Cat, Const, Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import PAGE_BITS, bounds_layout
from rtl_gen.interfaces.ports import function
from rtl_gen.interfaces.program import command_layout


class StoreCheck(wiring.Component):
    """
    Attributes
    ----------
    check : in, from a command that writes `count` rows (1 or more) to memory, and bounds that stay
        as they are, to the `address` of the first row, and whether any of them is `outside` of the
        pages that may be written, or of all addresses. The address shows a cycle before the verdict
    """

    LATENCY = 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        argument = StructLayout(
            {"command": command_layout(config), "bounds": bounds_layout(config)}
        )
        result = StructLayout({"address": unsigned(config.address_bits), "outside": 1})
        super().__init__({"check": In(function(argument, result))})

    def elaborate(self, platform):
        m = Module()
        command, bounds = self.check.argument.command, self.check.argument.bounds
        row_bits = exact_log2(self._config.width)
        page_rows = PAGE_BITS - row_bits
        base = Cat(Const(0, page_rows), bounds.results)
        first = register(m, base + command.address[row_bits:], name="first")
        more = register(m, (command.count - 1)[: len(command.count)], name="more")
        last_allowed = Cat(Const(-1, page_rows), bounds.writes.last)
        m.d.comb += self.check.result.address.eq(first << row_bits)
        m.d.sync += self.check.result.outside.eq(
            (first[page_rows:] < bounds.writes.first) | (first + more > last_allowed)
        )
        return m
