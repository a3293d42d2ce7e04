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
from amaranth.lib.wiring import In, Out

from rtl_gen.attention.exponentials import exponentials_layout
from rtl_gen.attention.normalisation import normalised_row_layout
from rtl_gen.common.contract import require_places
from rtl_gen.common.pipeline import data_register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import beat_layout, slot_address_bits, slot_write_layout
from rtl_gen.interfaces.ports import always
from rtl_gen.memory.row_memory import RowMemory


def pv_beat_layout(config: AcceleratorConfig) -> StructLayout:
    """One PV beat: where its values lie, their exponentials, and their row."""
    return StructLayout(
        {
            "valid": unsigned(config.lanes),
            "word": ArrayLayout(unsigned(config.word_bits), config.lanes),
            "exponentials": exponentials_layout(config),
            "row": normalised_row_layout(config),
            "first": 1,
            "last": 1,
        }
    )


class RowBuffer(wiring.Component):
    """
    Attributes
    ----------
    qk : in, QK^T beats that the array takes
    exponentials : in, beats of exponentials and their places, from softmax
    rows : in, normalised rows, from softmax
    beats : out, PV beats
    """

    LATENCY = 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        exponentials = slot_write_layout(config, exponentials_layout(config))
        super().__init__(
            {
                "qk": In(always(beat_layout(config))),
                "exponentials": In(always(exponentials)),
                "rows": In(stream.Signature(normalised_row_layout(config))),
                "beats": Out(stream.Signature(pv_beat_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        keys, exponentials = self._keys(m), self._exponentials(m)

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
        for port in (keys, exponentials):
            m.d.comb += [
                port.enable.eq(self.rows.valid & latch_free),
                port.address.eq(Cat(read_beat, read_slot)),
            ]
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
        beat = data_register(m, self.beats.payload, name="beat")
        with m.If(output_free):
            m.d.sync += self.beats.valid.eq(latched)
        with m.If(output_free & latched):
            m.d.sync += [
                beat.valid.eq(keys.data.valid),
                beat.word.eq(keys.data.word),
                beat.exponentials.eq(exponentials.data),
                beat.row.eq(latched_row),
                beat.first.eq(latched_first),
                beat.last.eq(latched_last),
            ]
        require_places(
            m,
            config.row_slots * config.bank_depth,
            enters=self.exponentials.valid,
            leaves=self.rows.valid & latch_free,
            message="row buffer: a row without exponentials, or too many of them",
        )
        return m

    def _keys(self, m: Module):
        """Where the keys of QK^T beats are kept; returns the read port."""
        config, beat = self._config, self.qk.payload
        shape = StructLayout(
            {
                "valid": unsigned(config.lanes),
                "word": ArrayLayout(unsigned(config.word_bits), config.lanes),
            }
        )
        m.submodules.addresses = memory = RowMemory(
            depth=1 << slot_address_bits(config), shape=shape
        )
        write = memory.write
        position, slot = Signal(config.word_bits), Signal(range(config.row_slots))
        m.d.comb += [
            write.enable.eq(self.qk.valid),
            write.address.eq(Cat(position, slot)),
            write.data.valid.eq(beat.valid),
            write.data.word.eq(beat.word),
        ]
        with m.If(self.qk.valid):
            m.d.sync += position.eq(Mux(beat.last, 0, position + 1))
            with m.If(beat.last):
                m.d.sync += slot.eq(slot + 1)
        require_places(
            m,
            config.row_slots,
            enters=self.qk.valid & (position == 0),
            leaves=self.beats.valid & self.beats.ready & self.beats.payload.last,
            message="row buffer: more rows than slots, or a row without keys",
        )
        return memory.read

    def _exponentials(self, m: Module):
        """Where the exponentials are kept; returns the read port."""
        m.submodules.exponentials = memory = RowMemory(
            depth=1 << slot_address_bits(self._config), shape=exponentials_layout(self._config)
        )
        write = memory.write
        m.d.comb += [
            write.enable.eq(self.exponentials.valid),
            write.address.eq(self.exponentials.payload.address),
            write.data.eq(self.exponentials.payload.data),
        ]
        return memory.read
