"""Loader: copies consecutive words from memory into the query, K/V or mask memory.

One request covers the whole command. Beats are accepted at one a cycle, collected into a word of the
target (`width` bytes, or a mask word) and written the cycle after its last beat. Key or value row j goes
to bank j mod lanes, word j div lanes.

Without stalls a load of b beats is idle again START_CYCLES + b + FINISH_CYCLES cycles after the one in
which the command transfers, plus the cycles from the request to the first beat.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import ADDRESS_BITS, COUNT_BITS, Target, word_bytes
from rtl_gen.memory.port import read_request_layout


def load_layout() -> StructLayout:
    """`count` words of `target` from `address` on."""
    return StructLayout(
        {
            "target": Target,
            "address": unsigned(ADDRESS_BITS),
            "count": unsigned(COUNT_BITS),
        }
    )


class Loader(wiring.Component):
    """
    Attributes
    ----------
    command : accepted while idle
    request, data : the memory port's read side
    write, target : a collected word is ready for this memory
    row, mask_word : the word, if the target holds rows or mask words
    index : its place in the query or mask memory
    bank, bank_word : its place in the K/V banks, the bank one-hot
    idle : nothing under way
    """

    START_CYCLES = 1
    FINISH_CYCLES = 1

    @staticmethod
    def word_beats(config: AcceleratorConfig, target: Target) -> int:
        """Beats of one word of a target."""
        return word_bytes(config, target) // config.bus_bytes

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(load_layout())),
                "request": Out(stream.Signature(read_request_layout())),
                "data": In(stream.Signature(unsigned(8 * config.bus_bytes))),
                "row": Out(config.row_bits),
                "mask_word": Out(config.mask_word_bits),
                "index": Out(COUNT_BITS),
                "bank": Out(config.lanes),
                "bank_word": Out(config.word_bits),
                "write": Out(1),
                "target": Out(Target),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        bus_bits = 8 * config.bus_bytes
        row_beats = self.word_beats(config, Target.KEY)
        mask_beats = self.word_beats(config, Target.MASK)

        requesting, receiving = Signal(), Signal()
        is_mask = Signal()
        words_left = Signal(COUNT_BITS)
        beat = Signal(range(max(row_beats, mask_beats)))
        word_end = Signal()
        taken = Signal()
        m.d.comb += [
            self.idle.eq(~requesting & ~receiving & ~self.write),
            self.command.ready.eq(self.idle),
            self.request.valid.eq(requesting),
            self.data.ready.eq(receiving),
            taken.eq(self.data.valid & self.data.ready),
            is_mask.eq(self.target == Target.MASK),
            word_end.eq(beat == Mux(is_mask, mask_beats - 1, row_beats - 1)),
        ]
        command = self.command.payload
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [
                requesting.eq(1),
                self.target.eq(command.target),
                self.request.payload.address.eq(command.address),
                self.request.payload.beats.eq(
                    command.count * Mux(command.target == Target.MASK, mask_beats, row_beats)
                ),
                words_left.eq(command.count),
                self.index.eq(0),
            ]
        with m.If(requesting & self.request.ready):
            m.d.sync += [requesting.eq(0), receiving.eq(1), beat.eq(0)]

        collected = Signal(max(config.row_bits, config.mask_word_bits), reset_less=True)
        m.d.comb += [
            self.row.eq(collected[-config.row_bits :]),
            self.mask_word.eq(collected[-config.mask_word_bits :]),
        ]
        m.d.sync += self.write.eq(taken & word_end)
        with m.If(taken):
            m.d.sync += [
                collected.eq(Cat(collected, self.data.payload)[bus_bits:]),
                beat.eq(Mux(word_end, 0, beat + 1)),
            ]
            with m.If(word_end):
                m.d.sync += words_left.eq(words_left - 1)
                with m.If(words_left == 1):
                    m.d.sync += receiving.eq(0)
        with m.If(self.write):
            m.d.sync += self.index.eq(self.index + 1)

        lane_bits = (config.lanes - 1).bit_length()
        m.d.comb += [
            self.bank.eq(1 << self.index[:lane_bits]),
            self.bank_word.eq(self.index >> lane_bits),
        ]
        return m
