"""Query walker: visits the live tokens in order and fetches their mask rows.

For position 0 .. count - 1 it looks up the token, reads its row of the head's mask and masks it
with the live tokens. Mask memory words hold `rows_per_word` mask rows, row 0 in the low bits.

The first row is offered LATENCY cycles after `start`; rows follow at one a cycle while `rows.ready`
is high, which freezes the walker otherwise.
"""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.common.contract import require
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import mask_row_layout
from rtl_gen.memory.row_memory import RowMemory, read_signature
from rtl_gen.pruning.live_tokens import LiveTokens, token_read_signature


class QueryWalker(wiring.Component):
    """
    Attributes
    ----------
    start : in, the number of live tokens begins a walk over them; only while none is under way
    live : in, the live tokens, constant during a walk
    list : out, read port of the live-token list
    mask : out, read port of the mask memory
    rows : out, each live query with its kept live keys
    """

    LATENCY = 1 + LiveTokens.READ_LATENCY + RowMemory.LATENCY + 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(stream.Signature(unsigned(config.count_bits), always_ready=True)),
                "live": In(config.bank_depth * config.lanes),
                "list": Out(token_read_signature(config)),
                "mask": Out(read_signature(config.mask_depth, config.mask_word_bits)),
                "rows": Out(stream.Signature(mask_row_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        advance = Signal()
        m.d.comb += advance.eq(~self.rows.valid | self.rows.ready)

        position = Signal(config.count_bits)
        count = Signal(config.count_bits)
        walking = Signal()
        with m.If(self.start.valid):
            m.d.sync += [
                position.eq(0),
                count.eq(self.start.payload),
                walking.eq(self.start.payload != 0),
            ]
        with m.Elif(walking & advance):
            m.d.sync += [position.eq(position + 1), walking.eq(position + 1 != count)]
        require(m, ~self.start.valid | ~walking, "query walker: started while it walks")
        m.d.comb += [self.list.enable.eq(advance), self.list.position.eq(position)]

        # `asked[i]`: a position was presented to the list i advances ago.
        asked = [walking]
        for age in range(1, LiveTokens.READ_LATENCY + 1):
            asked.append(Signal(name=f"asked_{age}"))
            with m.If(advance):
                m.d.sync += asked[age].eq(asked[age - 1])

        row_in_word = (config.rows_per_mask_word - 1).bit_length()
        m.d.comb += [
            self.mask.enable.eq(advance),
            self.mask.address.eq(self.list.token >> row_in_word),
        ]
        fetched = Signal()
        fetched_token = Signal(config.token_bits, reset_less=True)
        rows = Signal(ArrayLayout(unsigned(8 * config.mask_bytes), config.rows_per_mask_word))
        row = self.rows.payload
        m.d.comb += rows.as_value().eq(self.mask.data)
        with m.If(advance):
            m.d.sync += [
                fetched.eq(asked[-1]),
                fetched_token.eq(self.list.token),
                self.rows.valid.eq(fetched),
                row.token.eq(fetched_token),
                row.keep.eq(rows[fetched_token[:row_in_word]] & self.live),
            ]
        return m
