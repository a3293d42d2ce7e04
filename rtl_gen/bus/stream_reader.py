"""Stream reader: reads memory ahead over AXI4 into a FIFO and offers it as a stream of beats.

A request is cut into bursts at multiples of BURST_BEATS beats. A burst is asked for only when the
FIFO has places for all of it (a place is given back when its beat leaves the FIFO), so that R is
always ready.

The next request is taken when all beats of this one have arrived. The first beat is offered
REQUEST_CYCLES + DATA_CYCLES cycles after its request is taken, plus the memory's latency (from
ARVALID to the transfer on R).

A beat is as good as lost if its response is not OKAY, and if RLAST comes with another beat than the
last one of a burst or not with that. Behind an early RLAST nothing more of its burst is awaited: R
waits while the missing beats are made up for, one a cycle. A beat that nobody asked for is ignored.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import program_beat_layout
from rtl_gen.memory.row_memory import RowMemory


def beat_address_bits(config: AcceleratorConfig) -> int:
    """Width of an address in whole beats, and of a number of beats."""
    return config.address_bits - exact_log2(config.bus_bytes)


def stream_request_layout(config: AcceleratorConfig) -> StructLayout:
    """`beats` beats from `address` on (in bytes; the bits inside a beat are ignored)."""
    return StructLayout(
        {"address": unsigned(config.address_bits), "beats": unsigned(beat_address_bits(config))}
    )


class StreamReader(wiring.Component):
    """
    Attributes
    ----------
    start : in, what to read; a request of 0 beats reads nothing
    out : out, the beats in order; `lost` stays until `clear`
    clear : in, no more bursts; what is in flight is awaited and discarded with the FIFO's contents.
        From the next cycle on `out` offers nothing, even if it did; `start` waits until all is gone
    idle : out, no request, nothing in flight, everything taken
    axi : out, read channels
    """

    REQUEST_CYCLES = 3
    """From the transfer of `start` to ARVALID."""
    BURST_CYCLES = 2
    """Between two bursts at least: the next one is planned, then issued."""
    DATA_CYCLES = 3
    """From a transfer on R to the offer on `out`: memory, its latch, output register."""

    @staticmethod
    def hidden_latency(config: AcceleratorConfig) -> int:
        """Of a memory with a beat a cycle: up to here `out` offers one a cycle, too."""
        return config.stream_beats - axi.BURST_BEATS - 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(stream.Signature(stream_request_layout(config))),
                "out": Out(stream.Signature(program_beat_layout(config))),
                "clear": In(1),
                "idle": Out(1),
                "axi": Out(axi.read_signature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        depth = self._config.stream_beats
        bus = self.axi
        discard, clearing = Signal(), Signal()
        in_flight = Signal(range(depth + 1))
        issue, arrive, lost, fetch = Signal(), Signal(), Signal(), Signal()
        burst = Signal(range(axi.BURST_BEATS + 1), reset_less=True)
        # Of the next beat to arrive, in its block of memory: bursts end where a block does.
        place = Signal(range(axi.BURST_BEATS), reset_less=True)
        missing, last = Signal(), Signal()

        requesting = self._requests(m, burst, issue, fetch, discard)
        buffered = self._fifo(m, arrive, lost, fetch, discard)

        m.d.comb += [
            discard.eq(self.clear | clearing),
            bus.rready.eq(~missing),
            arrive.eq((bus.rvalid | missing) & (in_flight != 0)),
            last.eq((place == axi.BURST_BEATS - 1) | (~requesting & (in_flight == 1))),
            lost.eq(missing | (bus.rresp != axi.Response.OKAY) | (bus.rlast != last)),
            self.start.ready.eq(~requesting & (in_flight == 0) & ~discard),
            self.idle.eq(~requesting & (in_flight == 0) & ~buffered & ~clearing),
        ]
        m.d.sync += [
            in_flight.eq(in_flight + Mux(issue, burst, 0) - arrive),
            clearing.eq(discard & (self.clear | (in_flight != 0))),
        ]
        with m.If(arrive):
            m.d.sync += [place.eq(place + 1), missing.eq((missing | bus.rlast) & ~last)]
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += place.eq(self.start.payload.address >> exact_log2(self._config.bus_bytes))
        return m

    def _requests(self, m: Module, burst, issue, fetch, discard) -> Signal:
        """Plan a burst, issue it when there is room, plan the next; returns whether one is left."""
        config, bus = self._config, self.axi
        depth = config.stream_beats
        address = Signal(beat_address_bits(config), reset_less=True)
        left = Signal(beat_address_bits(config), reset_less=True)
        places = Signal(range(depth + 1), init=depth)
        requesting, planned = Signal(), Signal()
        last = Signal(reset_less=True)
        to_boundary = axi.BURST_BEATS - address[: exact_log2(axi.BURST_BEATS)]
        burst_address = Signal(beat_address_bits(config), reset_less=True)
        m.d.comb += [
            issue.eq(requesting & planned & (places >= burst) & (~bus.arvalid | bus.arready)),
            bus.araddr.eq(burst_address << exact_log2(config.bus_bytes)),
        ]
        for name, value in axi.burst_attributes(config, "ar").items():
            m.d.comb += getattr(bus, name).eq(value)

        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [
                address.eq(self.start.payload.address >> exact_log2(config.bus_bytes)),
                left.eq(self.start.payload.beats),
                requesting.eq(self.start.payload.beats != 0),
            ]
        with m.If(requesting & ~planned):
            m.d.sync += [
                last.eq(left <= to_boundary),
                burst.eq(Mux(left <= to_boundary, left, to_boundary)),
                planned.eq(1),
            ]
        with m.If(bus.arready):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(issue):
            m.d.sync += [
                burst_address.eq(address),
                bus.arlen.eq(burst - 1),
                bus.arvalid.eq(1),
                address.eq(address + burst),
                left.eq(left - burst),
                planned.eq(0),
                requesting.eq(~last),
            ]
        m.d.sync += places.eq(places + fetch - Mux(issue, burst, 0))
        with m.If(discard):
            m.d.sync += [requesting.eq(0), planned.eq(0), places.eq(depth)]
        return requesting

    def _fifo(self, m: Module, arrive, lost, fetch, discard) -> Signal:
        """A memory with two registers behind it; returns whether any of them holds a beat.

        Of lost beats the first alone matters: its place is kept, not a bit for every beat.
        """
        depth = self._config.stream_beats
        shape = unsigned(8 * self._config.bus_bytes)
        m.submodules.beats = beats = RowMemory(depth=depth, shape=shape)
        head, tail = Signal(range(depth)), Signal(range(depth))
        level = Signal(range(depth + 1))
        fetched = Signal()
        any_lost, fetched_lost = Signal(), Signal()
        first_lost = Signal(range(depth), reset_less=True)
        payload = Signal(shape, reset_less=True)
        output_free = ~self.out.valid | self.out.ready
        buffered = Signal()
        m.d.comb += [
            beats.write.enable.eq(arrive),
            beats.write.address.eq(tail),
            beats.write.data.eq(self.axi.rdata),
            fetch.eq((level != 0) & (~fetched | output_free)),
            beats.read.enable.eq(fetch),
            beats.read.address.eq(head),
            self.out.payload.data.eq(payload),
            buffered.eq((level != 0) | fetched | self.out.valid),
        ]
        m.d.sync += level.eq(level + arrive - fetch)
        with m.If(arrive):
            m.d.sync += tail.eq(tail + 1)
            with m.If(lost & ~any_lost):
                m.d.sync += [any_lost.eq(1), first_lost.eq(tail)]
        with m.If(fetch):
            m.d.sync += [head.eq(head + 1), fetched.eq(1)]
            with m.If(any_lost & (head == first_lost)):
                m.d.sync += fetched_lost.eq(1)
        with m.Elif(output_free):
            m.d.sync += fetched.eq(0)
        with m.If(output_free):
            m.d.sync += [
                self.out.valid.eq(fetched),
                payload.eq(beats.read.data),
                self.out.payload.lost.eq(fetched_lost),
            ]
        with m.If(discard):
            m.d.sync += [
                level.eq(0),
                head.eq(0),
                tail.eq(0),
                fetched.eq(0),
                any_lost.eq(0),
                fetched_lost.eq(0),
                self.out.valid.eq(0),
                self.out.payload.lost.eq(0),
            ]
        return buffered
