"""Query walker: visits the live tokens in order and fetches their mask rows.

For position 0 .. count - 1 it looks up the token, reads its row of the head's mask and masks it
with the live tokens. Mask memory words hold `rows_per_word` mask rows, row 0 in the low bits.

The first row is offered LATENCY cycles after `start`; rows follow at one a cycle while `rows.ready`
is high, which freezes the walker otherwise.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import data_register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import mask_row_layout
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY, memory_plan
from rtl_gen.interfaces.ports import always


class QueryWalker(wiring.Component):
    """
    Attributes
    ----------
    start : in, the number of live tokens begins a walk over them; only while none is under way
    live : in, a bit a token, constant during a walk
    live_list, mask : out, read ports of the list of live tokens and of the mask memory; enabled
        during a walk only
    rows : out, each live query with its kept live keys
    """

    LATENCY = 1 + LIST_LATENCY + READ_LATENCY + 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        plan = memory_plan(config)
        super().__init__(
            {
                "start": In(always(unsigned(config.count_bits))),
                "live": In(config.bank_depth * config.lanes),
                "live_list": Out(plan["live_list"].read_signature()),
                "mask": Out(plan["mask"].read_signature()),
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
            m.d.sync += [position.eq(0), count.eq(self.start.payload), walking.eq(1)]
        with m.Elif(walking & advance):
            m.d.sync += [position.eq(position + 1), walking.eq(position + 1 != count)]

        # `asked[i]`: a position was presented to the list i advances ago.
        asked = [walking]
        for age in range(1, LIST_LATENCY + 1):
            asked.append(Signal(name=f"asked_{age}"))
            with m.If(advance):
                m.d.sync += asked[age].eq(asked[age - 1])
        # One register, a cycle longer than needed, keeps the pipeline's state off the enables.
        reading = Signal()
        m.d.sync += reading.eq(self.start.valid | reduce(or_, asked))

        row_in_word = (config.rows_per_mask_word - 1).bit_length()
        m.d.comb += [
            self.live_list.enable.eq(reading & advance),
            self.live_list.address.eq(position),
            self.mask.enable.eq(reading & advance),
            self.mask.address.eq(self.live_list.data >> row_in_word),
        ]
        fetched = Signal()
        fetched_token = Signal(config.token_bits, reset_less=True)
        rows = Signal(ArrayLayout(unsigned(8 * config.mask_bytes), config.rows_per_mask_word))
        row = data_register(m, self.rows.payload, name="row")
        m.d.comb += rows.as_value().eq(self.mask.data)
        with m.If(advance):
            m.d.sync += [
                fetched.eq(asked[-1]),
                fetched_token.eq(self.live_list.data),
                self.rows.valid.eq(fetched),
                row.token.eq(fetched_token),
                row.keep.eq(rows[fetched_token[:row_in_word]] & self.live),
            ]
        self._require(m, under_way=reduce(or_, asked) | fetched)
        return m

    def _require(self, m: Module, under_way) -> None:
        start, most = self.start, self._config.max_tokens
        in_range = (start.payload != 0) & (start.payload <= most)
        require(m, ~start.valid | ~under_way, "query walker: started while it walks")
        require(m, ~start.valid | in_range, "query walker: a number of tokens out of range")
