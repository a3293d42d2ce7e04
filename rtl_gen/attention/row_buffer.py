"""Rows between QK^T and PV: the addresses of their beats and their exponentials.

QK^T beats leave their lane addresses here, softmax its exponentials. When a row's normalisation
arrives the row is replayed as PV beats, one a cycle; the first is offered LATENCY = 2 cycles
after `rows.valid`. Bubbles collapse while the consumer stalls, so a row that arrives meanwhile
follows the row before it without a gap. `row_slots` rows fit; the caller reuses a slot only after
the last PV beat of its row was taken.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.attention.softmax import normalised_row_layout, slot_address_bits
from rtl_gen.common.layouts import beat_layout
from rtl_gen.config import AcceleratorConfig


def pv_beat_layout(config: AcceleratorConfig) -> StructLayout:
    """One PV beat: where its values lie, their exponentials, and their row."""
    return StructLayout(
        {
            "valid": unsigned(config.lanes),
            "word": ArrayLayout(unsigned(config.word_bits), config.lanes),
            "exponentials": ArrayLayout(unsigned(numerics.EXP_BITS), config.lanes),
            "row": normalised_row_layout(config),
            "first": 1,
            "last": 1,
        }
    )


class RowBuffer(wiring.Component):
    """
    Attributes
    ----------
    beat_valid, beat : a QK^T beat that the array takes
    exp_valid, exp_address, exponentials : from softmax
    rows : normalised rows, from softmax
    beats : PV beats
    """

    LATENCY = 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "beat_valid": In(1),
                "beat": In(beat_layout(config)),
                "exp_valid": In(1),
                "exp_address": In(slot_address_bits(config)),
                "exponentials": In(ArrayLayout(unsigned(numerics.EXP_BITS), config.lanes)),
                "rows": In(stream.Signature(normalised_row_layout(config))),
                "beats": Out(stream.Signature(pv_beat_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        depth = 1 << slot_address_bits(config)
        address_shape = StructLayout(
            {
                "valid": unsigned(config.lanes),
                "word": ArrayLayout(unsigned(config.word_bits), config.lanes),
            }
        )
        m.submodules.addresses = addresses = Memory(shape=address_shape, depth=depth, init=[])
        m.submodules.exponentials = exponentials = Memory(
            shape=ArrayLayout(unsigned(numerics.EXP_BITS), config.lanes), depth=depth, init=[]
        )

        keep_address = addresses.write_port()
        write_beat, write_slot = Signal(config.word_bits), Signal(range(config.row_slots))
        m.d.comb += [
            keep_address.en.eq(self.beat_valid),
            keep_address.addr.eq(Cat(write_beat, write_slot)),
            keep_address.data.valid.eq(self.beat.valid),
            keep_address.data.word.eq(self.beat.word),
        ]
        with m.If(self.beat_valid):
            m.d.sync += write_beat.eq(Mux(self.beat.last, 0, write_beat + 1))
            with m.If(self.beat.last):
                m.d.sync += write_slot.eq(write_slot + 1)

        keep_exp = exponentials.write_port()
        m.d.comb += [
            keep_exp.en.eq(self.exp_valid),
            keep_exp.addr.eq(self.exp_address),
            keep_exp.data.eq(self.exponentials),
        ]

        # Replay: memory latch, then output register.
        read_beat, read_slot = Signal(config.word_bits), Signal(range(config.row_slots))
        row = self.rows.payload
        row_end = Signal()
        latched, latch_free, output_free = Signal(), Signal(), Signal()
        latched_row = Signal(normalised_row_layout(config), reset_less=True)
        latched_first, latched_last = Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            output_free.eq(~self.beats.valid | self.beats.ready),
            latch_free.eq(~latched | output_free),
            row_end.eq(read_beat == row.last_beat),
            self.rows.ready.eq(latch_free & row_end),
        ]
        read_address, read_exp = addresses.read_port(), exponentials.read_port()
        for port in (read_address, read_exp):
            m.d.comb += [port.en.eq(latch_free), port.addr.eq(Cat(read_beat, read_slot))]
        with m.If(latch_free):
            m.d.sync += [
                latched.eq(self.rows.valid),
                latched_row.eq(row),
                latched_first.eq(read_beat == 0),
                latched_last.eq(row_end),
            ]
            with m.If(self.rows.valid):
                m.d.sync += read_beat.eq(Mux(row_end, 0, read_beat + 1))
                with m.If(row_end):
                    m.d.sync += read_slot.eq(read_slot + 1)
        beat = self.beats.payload
        with m.If(output_free):
            m.d.sync += [
                self.beats.valid.eq(latched),
                beat.valid.eq(read_address.data.valid),
                beat.word.eq(read_address.data.word),
                beat.exponentials.eq(read_exp.data),
                beat.row.eq(latched_row),
                beat.first.eq(latched_first),
                beat.last.eq(latched_last),
            ]
        return m
