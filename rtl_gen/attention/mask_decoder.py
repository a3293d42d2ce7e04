"""Mask-row decoder: the live keys that ViTCoD's static mask keeps of a query become beats of the
array, so that QK^T is an SDDMM and PV an SpMM.

Key j belongs to lane j mod lanes, word j div lanes. Every beat takes the lowest remaining key of
each lane, so a row takes as many beats as its fullest lane has keys, and at least one: an empty
row is one beat without a valid lane.

The first beat is offered LATENCY cycles after its row was accepted. Beats follow each other, across
rows too, without bubbles while the consumer is ready; `beats.ready` low freezes the decoder.
"""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.common.pipeline import data_register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import beat_layout, mask_row_layout


class MaskDecoder(wiring.Component):
    """
    Attributes
    ----------
    rows : stream of a query's token index and its keys' bitmap
    beats : stream of beats
    """

    LATENCY = 3

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "rows": In(stream.Signature(mask_row_layout(config))),
                "beats": Out(stream.Signature(beat_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, depth = self._config.lanes, self._config.bank_depth

        # Walk: `remaining` loses the lowest set bit of every lane each beat; `after` is what it
        # becomes, `more` whether a lane has anything of that. `kept` is what a new row begins with.
        loaded = Signal()
        first = Signal()
        more = Signal(lanes, reset_less=True)
        last = ~more.any()
        token = Signal(self._config.token_bits, reset_less=True)
        remaining = [Signal(depth, name=f"remaining_{i}", reset_less=True) for i in range(lanes)]
        after = [Signal(depth, name=f"after_{i}", reset_less=True) for i in range(lanes)]

        kept = [Signal(depth, name=f"kept_{i}") for i in range(lanes)]
        for lane in range(lanes):
            m.d.comb += kept[lane].eq(self.rows.payload.keep[lane::lanes])

        def drop_lowest(rows):
            return [row & (row - 1) for row in rows]

        picked_valid = Signal()
        picked_first = Signal(reset_less=True)
        picked_last = Signal(reset_less=True)
        picked_token = Signal.like(token)
        picked = [Signal(depth, name=f"picked_{i}", reset_less=True) for i in range(lanes)]

        beat_free = Signal()
        picked_free = Signal()
        m.d.comb += [
            beat_free.eq(~self.beats.valid | self.beats.ready),
            picked_free.eq(~picked_valid | beat_free),
            self.rows.ready.eq(~loaded | (picked_free & last)),
        ]
        with m.If(picked_free):
            m.d.sync += [
                picked_valid.eq(loaded),
                picked_first.eq(first),
                picked_last.eq(last),
                picked_token.eq(token),
                first.eq(0),
            ]
            m.d.sync += [p.eq(r & ~a) for p, r, a in zip(picked, remaining, after, strict=True)]
            m.d.sync += [r.eq(a) for r, a in zip(remaining, after, strict=True)]
            m.d.sync += [a.eq(later) for a, later in zip(after, drop_lowest(after), strict=True)]
            m.d.sync += more.eq(Cat(has_several(a) for a in after))
            with m.If(last):
                m.d.sync += loaded.eq(0)
        with m.If(self.rows.valid & self.rows.ready):
            m.d.sync += [loaded.eq(1), first.eq(1), token.eq(self.rows.payload.token)]
            m.d.sync += [r.eq(k) for r, k in zip(remaining, kept, strict=True)]
            m.d.sync += [a.eq(later) for a, later in zip(after, drop_lowest(kept), strict=True)]
            m.d.sync += more.eq(Cat(has_several(k) for k in kept))

        # Encode: one-hot to word address.
        beat = data_register(m, self.beats.payload, name="beat")
        with m.If(beat_free):
            m.d.sync += [
                self.beats.valid.eq(picked_valid),
                beat.first.eq(picked_first),
                beat.last.eq(picked_last),
                beat.token.eq(picked_token),
                beat.valid.eq(Cat(p.any() for p in picked)),
            ]
            for lane, onehot in enumerate(picked):
                bits = [
                    Cat(onehot[w] for w in range(depth) if w >> b & 1).any()
                    for b in range(self._config.word_bits)
                ]
                m.d.sync += beat.word[lane].eq(Cat(bits))
        return m


def has_several(bits: Value) -> Value:
    """Whether at least two of the bits are set, by halves: no carry chain decides it."""
    nodes = [(bit, bit & ~bit) for bit in bits]
    while len(nodes) > 1:
        pairs = [
            (a | b, several_a | several_b | (a & b))
            for (a, several_a), (b, several_b) in zip(nodes[::2], nodes[1::2], strict=False)
        ]
        nodes = pairs + nodes[2 * len(pairs) :]
    return nodes[0][1]
