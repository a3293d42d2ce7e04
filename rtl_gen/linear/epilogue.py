"""Epilogue of a linear layer: what becomes of a group's sums, `lanes` channels of a token at once.

They are requantised channel by channel to int16 (`logits`); cut to int8 (`qkv`); looked up in the
table of GELU as int8 (`hidden`); added to what the residual memory holds, saturating (`residual`).
All four are made, the destination takes one.

In cycles after the sums: 1 the place and the residual address, 3 requantised, LATENCY finished.
"""

from amaranth.hdl import Cat, Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout, View
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen import numerics
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.requantize import Requantizer
from rtl_gen.common.saturate import saturate
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import READ_LATENCY, memory_plan
from rtl_gen.interfaces.ports import always
from rtl_gen.linear.accumulate import totals_layout
from rtl_gen.linear.tile_walker import row_address_bits
from rtl_gen.memory.row_memory import RowMemory


def place_layout(config: AcceleratorConfig) -> StructLayout:
    """Where a group goes: token, row of the destination, tile, which says what part of the row."""
    return StructLayout(
        {
            "token": unsigned(config.token_bits),
            "row": unsigned(row_address_bits(config)),
            "tile": unsigned(config.tile_bits),
        }
    )


def results_layout(config: AcceleratorConfig) -> StructLayout:
    """A group of a token, as each destination wants it."""
    narrow, wide = ArrayLayout(signed(8), config.lanes), ArrayLayout(signed(16), config.lanes)
    return StructLayout({"qkv": narrow, "hidden": narrow, "logits": wide, "residual": wide})


class Epilogue(wiring.Component):
    """
    Attributes
    ----------
    totals : in, sums of a group with their factors
    places : in, the place of a group of a residual layer, PLACE_CYCLES after its sums
    residual : out, read port of the residual memory
    gelu : in, write port of the table, a copy a lane; entry h + 128 for input h
    results : out, the group, LATENCY after its sums
    """

    LATENCY = Requantizer.LATENCY + 2
    """Requantised; looked up or selected from the residual row; output register or added."""
    PLACE_CYCLES = LATENCY - READ_LATENCY - 3
    """Before the end: the address; then the memory's latch, the row, its part, the sum."""

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        plan = memory_plan(config)
        super().__init__(
            {
                "totals": In(always(totals_layout(config))),
                "places": In(always(place_layout(config))),
                "residual": Out(plan["residual"].read_signature()),
                "gelu": In(plan["gelu"].write_signature()),
                "results": Out(always(results_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        old = self._read_residual(m)
        m.d.comb += self.results.valid.eq(
            delay(m, self.totals.valid, self.LATENCY, name="valid", reset_less=False)
        )
        for lane in range(self._config.lanes):
            value = self._requantise(m, lane)
            narrow = Signal(signed(8), name=f"narrow_{lane}")
            late = register(m, value, name=f"late_{lane}")
            added = Signal(signed(numerics.RESIDUAL_BITS), name=f"added_{lane}", reset_less=True)
            m.d.sync += added.eq(saturate(late + old[lane], numerics.RESIDUAL_BITS))
            results = self.results.payload
            m.d.comb += [
                narrow.eq(saturate(value, 8)),
                results.qkv[lane].eq(delay(m, narrow, 2, name=f"late_narrow_{lane}")),
                results.hidden[lane].eq(self._activate(m, lane, narrow)),
                results.logits[lane].eq(register(m, late, name=f"latest_{lane}")),
                results.residual[lane].eq(added),
            ]
        return m

    def _read_residual(self, m: Module) -> View:
        """The old values of the group of a place, in the cycle before they are added to."""
        place = self.places.payload
        groups_bits = exact_log2(self._config.chunks) - 1
        m.d.comb += [
            self.residual.enable.eq(self.places.valid),
            self.residual.address.eq(place.row),
        ]
        row = register(m, self.residual.data, name="residual_row")
        group = delay(m, place.tile[:groups_bits], READ_LATENCY + 1, name="group")
        old = Signal(
            ArrayLayout(signed(numerics.RESIDUAL_BITS), self._config.lanes), reset_less=True
        )
        m.d.sync += old.as_value().eq(row.as_value().word_select(group, len(old.as_value())))
        return old

    def _requantise(self, m: Module, lane: int) -> Signal:
        m.submodules[f"requantizer_{lane}"] = requantizer = Requantizer(
            elements=1,
            input_bits=numerics.ACCUMULATOR_BITS,
            output_bits=numerics.RESIDUAL_BITS,
        )
        totals = self.totals.payload
        m.d.comb += [
            requantizer.call.argument.values[0].eq(totals.sums[lane]),
            requantizer.call.argument.scale.eq(totals.factors[lane]),
        ]
        return requantizer.call.result[0]

    def _activate(self, m: Module, lane: int, value: Signal) -> Signal:
        """GELU of `value`, two cycles later."""
        m.submodules[f"gelu_{lane}"] = table = RowMemory(depth=numerics.GELU_ENTRIES, shape=8)
        m.d.comb += [
            table.read.enable.eq(~self.gelu.enable),
            table.read.address.eq(Cat(value[:7], ~value[7])),
            table.write.enable.eq(self.gelu.enable),
            table.write.address.eq(self.gelu.address),
            table.write.data.eq(self.gelu.data),
        ]
        return register(m, table.read.data, name=f"activated_{lane}")
