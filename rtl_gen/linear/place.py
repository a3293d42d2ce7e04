"""Placement of a linear layer's results: to which memory, row and part of a row a group goes.

* QKV: int8 into the query memory or the kv memory of the current head, groups in the order q, k, v
* HIDDEN: int8 behind GELU into the hidden memory
* LOGITS: int16 into the hidden memory
* RESIDUAL: int16 sums into the residual memory, and to the statistics of the next norm
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import residual_update_layout
from rtl_gen.interfaces.memories import kv_address, writes
from rtl_gen.interfaces.ports import always
from rtl_gen.interfaces.program import Destination
from rtl_gen.linear.accumulate import Accumulators
from rtl_gen.linear.command import WIDE
from rtl_gen.linear.epilogue import Epilogue, place_layout, results_layout
from rtl_gen.linear.queue import running_layout
from rtl_gen.linear.tile_walker import step_layout


class Placement(wiring.Component):
    """
    Attributes
    ----------
    layer : in, the layer that runs
    steps : in, its steps
    places : out, for the epilogue, of a residual layer
    results : in, of the epilogue
    writes : out, write ports of the destinations, in the cycle of the results
    updates : out, new channels of the residual stream, in the same cycle
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        self._part_bits = exact_log2(config.chunks)
        super().__init__(
            {
                "layer": In(running_layout()),
                "steps": In(always(step_layout(config))),
                "places": Out(always(place_layout(config))),
                "results": In(always(results_layout(config))),
                "writes": Out(writes(config, "linear")),
                "updates": Out(always(residual_update_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The place follows its step; it is known two cycles after it, and needed twice.
        step = Signal(place_layout(self._config), reset_less=True)
        place = Signal.like(step)
        wide = self.layer.destination.matches(*WIDE)
        tile_rows = Mux(wide, step.tile >> self._part_bits - 1, step.tile >> self._part_bits)
        m.d.sync += [
            *(step[name].eq(self.steps.payload[name]) for name in ("token", "row", "tile")),
            place.eq(step),
            place.row.eq(step.row + tile_rows),
        ]
        until_places = Accumulators.latency(self._config) + Epilogue.PLACE_CYCLES
        m.d.comb += [
            self.places.valid.eq(
                self.layer.active & (self.layer.destination == Destination.RESIDUAL)
            ),
            self.places.payload.eq(delay(m, place, until_places - 2, name="place")),
        ]
        rest = Epilogue.LATENCY - Epilogue.PLACE_CYCLES
        self._write(m, delay(m, self.places.payload, rest, name="place_written"))
        return m

    def _write(self, m: Module, place: View) -> None:
        writes, results, chunks = self.writes, self.results.payload, self._config.chunks
        part, third = place.tile[: self._part_bits], place.tile[self._part_bits :]
        narrow = Const(1, chunks) << part
        wide = Const(0b11, chunks) << Cat(Const(0, 1), place.tile[: self._part_bits - 1])
        qkv, hidden, logits, residual = (self.layer.destination == to for to in Destination)
        to_query = third == 0

        def write(port, enable: Value, chunks: Value, address: Value, values: Value) -> None:
            m.d.comb += [
                port.enable.eq(self.results.valid & enable),
                port.chunks.eq(chunks),
                port.address.eq(address),
                port.data.as_value().eq(values.replicate(len(port.data.as_value()) // len(values))),
            ]

        values = {name: results[name].as_value() for name in results.shape().members}
        write(writes.query, qkv & to_query, narrow, place.token, values["qkv"])
        kv_at = kv_address(self._config, place.token, third[1])
        write(writes.kv, qkv & ~to_query, narrow, kv_at, values["qkv"])
        of_hidden = Mux(logits, values["logits"], values["hidden"].replicate(2))
        write(writes.hidden, hidden | logits, Mux(logits, wide, narrow), place.row, of_hidden)
        write(writes.residual, residual, wide, place.row, values["residual"])
        written = Cat(
            port.enable for port in (writes.query, writes.kv, writes.hidden, writes.residual)
        )
        require(m, (written & (written - 1)) == 0, "linear: a group into two memories")
        m.d.comb += [
            self.updates.valid.eq(self.results.valid & residual),
            self.updates.payload.token.eq(place.token),
            self.updates.payload.first.eq(place.tile == 0),
            self.updates.payload.values.eq(results.residual),
        ]
