"""Row writer: sends rows to memory over AXI4, one INCR burst a row.

AWVALID and the first WVALID of a row rise LATENCY cycles after its transfer. Without stalls a row
takes `config.row_beats` cycles, and the next follows without a gap; up to ROWS_IN_FLIGHT rows may
wait for their responses.

A response that comes before its row has left is an error; one that no row waits for is ignored.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import memory_status_layout, stored_row_layout


class RowWriter(wiring.Component):
    """
    Attributes
    ----------
    rows : in, rows to write
    status : out, `idle`: every row that was taken is in memory, it has left and all responses are
        in; `failed`: a response was not OKAY or early, until `clear`
    clear : in, drops the error. Rows that were taken are still written, but what is refused of them
        no longer shows; `rows` waits until their responses are in
    axi : out, write channels
    """

    LATENCY = 1
    ROWS_IN_FLIGHT = 16

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "rows": In(stream.Signature(stored_row_layout(config))),
                "status": Out(memory_status_layout()),
                "clear": In(1),
                "axi": Out(axi.write_signature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, bus = self._config, self.axi
        beats = config.row_beats
        byte_bits = exact_log2(config.width)
        beat = Signal(range(beats))
        data = Signal(config.row_bits, reset_less=True)
        row_address = Signal(config.address_bits - byte_bits, reset_less=True)
        in_flight = Signal(range(self.ROWS_IN_FLIGHT + 1))
        take, answer, early = Signal(), Signal(), Signal()
        discard, clearing = Signal(), Signal()
        leaving = bus.awvalid | bus.wvalid
        address_free = ~bus.awvalid | bus.awready
        data_free = ~bus.wvalid | (bus.wready & bus.wlast)
        m.d.comb += [
            discard.eq(self.clear | clearing),
            self.rows.ready.eq(
                address_free & data_free & (in_flight != self.ROWS_IN_FLIGHT) & ~discard
            ),
            take.eq(self.rows.valid & self.rows.ready),
            self.status.idle.eq((in_flight == 0) & ~leaving),
            # One row at most is still leaving, the last one taken.
            answer.eq(bus.bvalid & (in_flight != 0)),
            early.eq(leaving & (in_flight == 1)),
            bus.awaddr.eq(row_address << byte_bits),
            bus.awlen.eq(beats - 1),
            bus.wdata.eq(data),
            bus.wstrb.eq(~0),
            bus.wlast.eq(beat == beats - 1),
            bus.bready.eq(1),
        ]
        for name, value in axi.burst_attributes(config, "aw").items():
            m.d.comb += getattr(bus, name).eq(value)

        with m.If(bus.awready):
            m.d.sync += bus.awvalid.eq(0)
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [beat.eq(Mux(bus.wlast, 0, beat + 1)), bus.wvalid.eq(~bus.wlast)]
        with m.If(take):
            m.d.sync += [bus.awvalid.eq(1), bus.wvalid.eq(1)]
        # What is offered, taken or not, as soon as there is room: many bits wait for few signals.
        with m.If(address_free):
            m.d.sync += row_address.eq(self.rows.payload.address >> byte_bits)
        with m.If(~bus.wvalid | bus.wready):
            rest = data >> len(bus.wdata)
            m.d.sync += data.eq(Mux(~bus.wvalid | bus.wlast, self.rows.payload.data, rest))
        m.d.sync += [
            in_flight.eq(in_flight + take - answer),
            clearing.eq(discard & ~self.status.idle),
        ]
        with m.If(discard):
            m.d.sync += self.status.failed.eq(0)
        with m.Elif(answer & (early | (bus.bresp != axi.Response.OKAY))):
            m.d.sync += self.status.failed.eq(1)
        return m
