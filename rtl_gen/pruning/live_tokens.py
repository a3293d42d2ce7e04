"""The tokens that are still in the sequence: a bitmap, a count and an index list."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import LIST_LATENCY, memory_plan
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.pruning.keep_word import any_of, keep_word_signature, prefix_counts


class LiveTokens(wiring.Component):
    """Keeps the live tokens; rebuilds the list from keep words at one word a cycle.

    Position p of the list lies in bank p mod lanes, so that the kept tokens of a word go to
    different banks: kept lane l goes to position (tokens listed so far) + (kept lanes below l).

    All that this unit holds belongs to the old sequence until the first keep word comes, is mixed
    until `done`, and belongs to the new one from `done` on. Nothing must read `live` or the list
    in between, save a TopK that produces the keep words.

    Attributes
    ----------
    fill : in, a number of tokens n: makes 0 .. n - 1 live; not ready while it generates keep words
        of its own, in which time `keep` must be idle
    keep : in, keep words of the new live tokens; words after the last one are clear already
    done : out, high for one cycle, after a fill or after the last keep word
    live : out, bit j is set if token j is live
    count : out, number of live tokens; changes with `done`
    read : in, the token at a position of the list, LIST_LATENCY cycles later; a cycle without
        `enable` does not count and leaves the data as they are
    """

    UPDATE_LATENCY = 5
    """Cycles from the last keep word to `done`: register, count, place, route, write."""

    @classmethod
    def fill_latency(cls, config: AcceleratorConfig) -> int:
        """Cycles from the one in which `fill` transfers to the one with `done`."""
        return config.bank_depth + cls.UPDATE_LATENCY

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.lanes = range(config.lanes)
        self.lane_bits = exact_log2(config.lanes)
        super().__init__(
            {
                "fill": In(stream.Signature(unsigned(config.count_bits))),
                "keep": In(keep_word_signature(config)),
                "done": Out(1),
                "live": Out(config.bank_depth * config.lanes),
                "count": Out(config.count_bits),
                "read": In(memory_plan(config)["live_list"].read_signature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        valid, keep = self._accept(m)
        with m.If(valid):
            m.d.sync += self.live.word_select(keep.word, self.config.lanes).eq(keep.bits)
        self._list(m, self._place(m, valid, keep))
        return m

    def _accept(self, m: Module) -> tuple[Signal, data.View]:
        """Registers a keep word, of the port or of a fill's ramp over all words."""
        filling = Signal()
        tokens = Signal(self.config.count_bits, reset_less=True)
        word = Signal(self.config.word_bits)
        last = word == self.config.bank_depth - 1
        valid = Signal()
        keep = Signal(self.keep.payload.shape(), reset_less=True)

        m.d.comb += self.fill.ready.eq(~filling)
        m.d.sync += [valid.eq(self.keep.valid | filling), keep.eq(self.keep.payload)]
        with m.If(filling):
            m.d.sync += [
                keep.word.eq(word),
                keep.bits.eq(
                    Cat(Cat(Const(lane, self.lane_bits), word) < tokens for lane in self.lanes)
                ),
                keep.last.eq(last),
                word.eq(Mux(last, 0, word + 1)),
                filling.eq(~last),
            ]
        with m.Elif(self.fill.valid):
            m.d.sync += [tokens.eq(self.fill.payload), filling.eq(1)]
        require(m, ~(filling & self.keep.valid), "live tokens: keep words while it is filled")
        require(
            m,
            ~self.fill.valid | (self.fill.payload <= self.config.max_tokens),
            "live tokens: more tokens than there are",
        )
        return valid, keep

    def _place(self, m: Module, valid: Signal, keep: data.View) -> list[data.View]:
        """Counts the kept lanes, gives each its position and routes it to the bank of that."""
        counted_valid = register(m, valid, name="counted_valid", reset_less=False)
        counted = register(m, keep, name="counted")
        *kept_below, kept = (
            register(m, count, name=f"kept_below_{lane}")
            for lane, count in enumerate(prefix_counts(keep.bits))
        )

        listed = Signal(self.config.count_bits, reset_less=True)
        first_position = Signal(self.config.count_bits)
        m.d.comb += first_position.eq(Mux(counted.word == 0, 0, listed))
        with m.If(counted_valid):
            m.d.sync += listed.eq(first_position + kept)

        placed_valid = register(m, counted_valid, name="placed_valid", reset_less=False)
        placed = register(m, counted, name="placed")
        base = register(m, first_position, name="base")
        banks = [
            register(m, (first_position + below)[: self.lane_bits], name=f"bank_of_lane_{lane}")
            for lane, below in enumerate(kept_below)
        ]

        write = data.StructLayout(
            {"enable": 1, "address": self.config.word_bits, "token": self.config.token_bits}
        )
        writes = [Signal(write, name=f"write_{b}", reset_less=True) for b in self.lanes]
        for b, write in enumerate(writes):
            hits = [placed.bits[lane] & (banks[lane] == b) for lane in self.lanes]
            lane = any_of(Mux(hit, Const(i, self.lane_bits), 0) for i, hit in enumerate(hits))
            m.d.sync += [
                write.enable.eq(placed_valid & Cat(hits).any()),
                write.address.eq((base >> self.lane_bits) + (b < base[: self.lane_bits])),
                write.token.eq(Cat(lane, placed.word)),
            ]

        finished = register(m, placed_valid & placed.last, name="finished", reset_less=False)
        m.d.sync += self.done.eq(finished)
        with m.If(finished):
            m.d.sync += self.count.eq(listed)
        return writes

    def _list(self, m: Module, writes: list[data.View]) -> None:
        """The banks of the list and their read pipeline."""
        position = self.read.address
        tokens = Signal(
            data.ArrayLayout(self.config.token_bits, self.config.lanes), reset_less=True
        )
        token = Signal(self.config.token_bits, reset_less=True)
        bank = [position[: self.lane_bits]]
        for stage in range(1, LIST_LATENCY):
            bank.append(Signal(self.lane_bits, name=f"bank_{stage}", reset_less=True))
            with m.If(self.read.enable):
                m.d.sync += bank[stage].eq(bank[stage - 1])

        for b, write in enumerate(writes):
            m.submodules[f"bank_{b}"] = memory = RowMemory(
                depth=self.config.bank_depth, shape=self.config.token_bits
            )
            m.d.comb += [
                memory.write.enable.eq(write.enable),
                memory.write.address.eq(write.address),
                memory.write.data.eq(write.token),
                memory.read.enable.eq(self.read.enable),
                memory.read.address.eq(position >> self.lane_bits),
            ]
            with m.If(self.read.enable):
                m.d.sync += tokens[b].eq(memory.read.data)
        with m.If(self.read.enable):
            m.d.sync += token.eq(tokens[bank[-1]])
        m.d.comb += self.read.data.eq(token)
