"""Proofs of token pruning, for few tokens with narrow sums: every order of them, every tie."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value

from proofs.harness import Harness, assume
from proofs.proof import Proof
from rtl_gen.common.contract import require
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import LIST_LATENCY
from rtl_gen.numerics import SORT_DIGIT_BITS
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.pruning import Pruning
from rtl_gen.pruning.topk import TopK

SUM_BITS = 8


class TwoDigits(AcceleratorConfig):
    """As many digits of a sum as the sorter needs to carry a threshold from one to the next."""

    importance_bits = SUM_BITS


class OneDigit(AcceleratorConfig):
    """Sums that the sorter settles in one pass."""

    importance_bits = SORT_DIGIT_BITS


def few_tokens(kind: type[AcceleratorConfig], tokens: int) -> AcceleratorConfig:
    """Two lanes, so many tokens: whole words of them."""
    return kind(
        lanes=2, width=8, max_tokens=tokens, max_heads=1, max_dim=8, bus_bytes=4, row_slots=2
    )


FOUR, SIX = few_tokens(TwoDigits, 4), few_tokens(TwoDigits, 6)


def total(bits: Sequence[Value]) -> Value:
    """How many are set."""
    count = Const(0)
    for bit in bits:
        count = count + bit
    return count


def survivors(sums: Sequence[Value], live: Value, keep: Value, prefix: Value) -> Value:
    """SpAtten's cascade token pruning, by its definition: of the live tokens those stay that fewer
    than `keep` live ones beat, by a larger sum, or by the same one and a lower index. The first
    `prefix` tokens have the largest sum there is.
    """
    keys = [Mux(j < prefix, (1 << len(one)) - 1, one) for j, one in enumerate(sums)]
    stays = []
    for j, key in enumerate(keys):
        beats = [
            live[i] & ((other >= key) if i < j else (other > key))
            for i, other in enumerate(keys)
            if i != j
        ]
        stays.append(live[j] & (total(beats) < keep))
    return Cat(stays)


class Sums:
    """The importance memory: any words, until they are cleared or `become` others."""

    def __init__(self, m: Module, config: AcceleratorConfig):
        self._m, self._config = m, config
        bits, words = config.lanes * config.importance_bits, range(config.bank_depth)
        self.words = [Signal(bits, name=f"sums_{w}", reset_less=True) for w in words]

    def serve(self, read, clear) -> None:
        with self._m.If(read.enable):
            self._m.d.sync += Value.cast(read.data).eq(Array(self.words)[read.address])
        for w, word in enumerate(self.words):
            with self._m.If(clear.valid & (clear.payload == w)):
                self._m.d.sync += word.eq(0)

    def become(self, condition: Value, values: Value) -> None:
        """From the next cycle on all words are `values`, if the condition holds."""
        with self._m.If(condition):
            self._m.d.sync += Cat(self.words).eq(values)

    @property
    def each(self) -> list[Value]:
        bits, lanes = self._config.importance_bits, range(self._config.lanes)
        return [word.word_select(lane, bits) for word in self.words for lane in lanes]


class OneSelection(Harness):
    """The sorter is asked once."""

    any_reset = False
    config = FOUR

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = TopK(self.config)
        start = unit.start.payload
        fields = {
            name: self.constant(m, self.config.count_bits, name) for name in start.shape().members
        }
        tokens, keep, prefix = (fields[name] for name in ("tokens", "keep", "prefix"))
        live = self.constant(m, self.config.max_tokens, "live")
        assume(
            m,
            (tokens != 0)
            & (tokens <= self.config.max_tokens)
            & (keep != 0)
            & (keep <= self.config.max_tokens),
        )
        assume(m, (prefix <= keep) & ((live >> tokens) == 0))
        sums = Sums(m, self.config)
        sums.serve(unit.sort, unit.clear)
        asked, expected, place = (
            Signal(),
            Signal(self.config.max_tokens),
            Signal(range(self.config.bank_depth + 1)),
        )
        m.d.comb += [
            unit.start.valid.eq(~asked),
            *(start[name].eq(value) for name, value in fields.items()),
            unit.live.eq(live),
        ]
        with m.If(~asked):
            m.d.sync += [asked.eq(1), expected.eq(survivors(sums.each, live, keep, prefix))]
        word, lanes = unit.keep.payload, self.config.lanes
        with m.If(unit.keep.valid):
            m.d.sync += place.eq(place + 1)
        last = (tokens - 1) >> (lanes - 1).bit_length()
        verdict = ~unit.keep.valid
        require(m, verdict | (word.word == place), "keep words out of order")
        require(m, verdict | (word.last == (place == last)), "the last keep word is another")
        right = word.bits == expected.word_select(place[: self.config.word_bits], lanes)
        require(m, verdict | right, "kept are not the most important tokens")
        stays = (live & ((1 << prefix) - 1) & ~expected) == 0
        require(m, ~asked | stays, "a live token of the prefix is dropped")
        self._ends(m, unit, asked, tokens, last, place, sums)

    def _ends(self, m: Module, unit, asked, tokens, last, place, sums) -> None:
        """When its time is over all words are out, and their sums are clear."""
        cycles = Signal(range(TopK.latency(self.config, self.config.max_tokens) + 2))
        over = Signal()
        with m.If(asked & ~over):
            m.d.sync += cycles.eq(cycles + 1)
        m.d.sync += over.eq(over | (cycles == TopK.latency(self.config, self.config.max_tokens)))
        require(m, ~over | (place == last + 1), "keep words are missing")
        left = Cat(word.any() & (w <= last) for w, word in enumerate(sums.words))
        require(m, ~over | ~left.any(), "a sum is not cleared")


class ListFollowsKeepWords(Harness):
    """Any keep words, with any pauses between them, and a look at any position behind `done`."""

    config = SIX

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = LiveTokens(self.config)
        tokens = self.free(self.config.count_bits, "tokens")
        fills = self.free(1, "fills")
        bits, pause = self.free(self.config.lanes, "bits"), self.free(1, "pause")
        position = self.free(range(self.config.max_tokens), "position")
        assume(m, (tokens != 0) & (tokens <= self.config.max_tokens))
        expected = ExpectedList(m, self.config, unit.count, unit.live, unit.read, position)
        updating, place = Signal(), Signal(self.config.word_bits)
        word = unit.keep.payload
        begins = unit.fill.valid & unit.fill.ready
        sends = unit.keep.valid
        m.d.comb += [
            unit.fill.payload.eq(tokens),
            unit.fill.valid.eq(fills & ~expected.busy),
            unit.keep.valid.eq(~pause & (updating | (~expected.busy & ~fills))),
            word.bits.eq(bits),
            word.word.eq(place),
            word.last.eq(place == self.config.bank_depth - 1),
        ]
        with m.If(begins):
            m.d.sync += [expected.busy.eq(1), expected.live.eq((1 << tokens) - 1)]
        with m.If(sends):
            m.d.sync += [
                expected.busy.eq(1),
                expected.live.word_select(place, self.config.lanes).eq(bits),
                place.eq(Mux(word.last, 0, place + 1)),
                updating.eq(~word.last),
            ]
        with m.If(unit.done):
            m.d.sync += expected.busy.eq(0)
        require(m, ~unit.done | expected.busy, "done without a change")
        changed = Signal.like(unit.count)
        m.d.sync += changed.eq(unit.count)
        moves = Signal()
        m.d.sync += moves.eq(1)
        require(
            m,
            ~moves | unit.done | (unit.count == changed),
            "the count changes in another cycle than that of `done`",
        )


class TwoPrunings(Harness):
    """Any SET_TOKENS, and behind it any two PRUNE, between which the sums become any others."""

    any_reset = False
    config = few_tokens(OneDigit, 4)

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = Pruning(self.config)
        count = self.free(self.config.count_bits, "count")
        prefix = self.free(self.config.count_bits, "prefix")
        position = self.free(range(self.config.max_tokens), "position")
        assume(m, (count != 0) & (count <= self.config.max_tokens) & (prefix <= count))
        sums = Sums(m, self.config)
        sums.serve(unit.reads.importance, unit.clear)
        waits, commands = self.free(1, "waits"), Signal(range(4))
        expected = ExpectedList(
            m, self.config, unit.count, unit.live, unit.held.live_list, position
        )
        sends = unit.idle & ~waits & (commands != 3)
        m.d.comb += [
            unit.set_tokens.valid.eq(sends & (commands == 0)),
            unit.set_tokens.payload.count.eq(count),
            unit.prune.valid.eq(sends & (commands != 0)),
            unit.prune.payload.count.eq(count),
            unit.prune.payload.prefix.eq(prefix),
        ]
        sums.become(unit.idle & waits, self.free(len(Cat(sums.words)), "sums"))
        with m.If(sends):
            m.d.sync += [
                commands.eq(commands + 1),
                expected.busy.eq(1),
                expected.live.eq(
                    Mux(
                        commands == 0,
                        (1 << count) - 1,
                        survivors(sums.each, expected.live, count, prefix),
                    )
                ),
            ]
        with m.Elif(unit.idle):
            m.d.sync += expected.busy.eq(0)
        took = unit.set_tokens.ready & unit.prune.ready
        require(m, ~sends | took, "idle and does not take a command")
        tokens, ran = Signal(self.config.count_bits), Signal()
        with m.If(sends & (commands == 0)):
            m.d.sync += tokens.eq(count)
        m.d.sync += ran.eq(~unit.idle)
        left = Cat(
            word.any() & (w * self.config.lanes < tokens) for w, word in enumerate(sums.words)
        )
        require(m, ~(ran & unit.idle) | ~left.any(), "sums are left behind a command")

    @classmethod
    def cycles(cls) -> int:
        """Of the three commands, one behind the other, and a look at the list."""
        prune = TopK.latency(cls.config, cls.config.max_tokens) + LiveTokens.UPDATE_LATENCY
        return LiveTokens.fill_latency(cls.config) + 2 * prune + 3 + LIST_LATENCY + 1


class ExpectedList:
    """Bitmap, count and list agree with the bitmap `live` whenever not `busy`."""

    def __init__(self, m: Module, config: AcceleratorConfig, count, live, read, position):
        tokens = config.max_tokens
        self.live, self.busy = Signal(tokens), Signal()
        quiet = Signal(range(LIST_LATENCY + 1))
        m.d.sync += quiet.eq(Mux(self.busy, 0, Mux(quiet == LIST_LATENCY, quiet, quiet + 1)))
        asked = [position]
        for stage in range(LIST_LATENCY):
            asked.append(Signal.like(position, name=f"asked_{stage}", reset_less=True))
            m.d.sync += asked[-1].eq(asked[-2])
        m.d.comb += [read.enable.eq(1), read.address.eq(position)]
        require(m, self.busy | (live == self.live), "the bitmap is not that of the keep words")
        require(m, self.busy | (count == total(self.live)), "the count is not that of the bitmap")
        token = Value.cast(read.data)
        place = total([self.live[j] & (j < token) for j in range(tokens)])
        listed = self.live.bit_select(token, 1) & (place == asked[-1])
        answered = ~self.busy & (quiet == LIST_LATENCY) & (asked[-1] < count)
        require(m, ~answered | listed, "the list is not the bitmap's tokens in order")


PROOFS = (
    Proof(
        unit="pruning.topk",
        name="most important",
        claim=f"of up to 4 tokens with sums of {SUM_BITS} bits the k most important ones "
        "are kept, ties to the lower index, the prefix among them; the sums are cleared",
        harness=OneSelection,
        broken=("rtl_gen.pruning.topk", "(sums[i] == key)", "(sums[i] >= key)"),
        depth=TopK.latency(FOUR, 4) + 3,
    ),
    Proof(
        unit="pruning.live_tokens",
        name="list",
        claim="bitmap, count and list of up to 6 tokens agree after any keep words and fills",
        harness=ListFollowsKeepWords,
        broken=(
            "rtl_gen.pruning.live_tokens",
            "with m.If(finished):",
            "with m.If(placed_valid & placed.last):",
        ),
        depth=24,
    ),
    Proof(
        unit="pruning.pruning",
        name="cascade",
        claim=f"of up to 4 tokens with sums of {SORT_DIGIT_BITS} bits SET_TOKENS and two PRUNE "
        "leave those of SpAtten's definition, in bitmap, count and list; sums are cleared",
        harness=TwoPrunings,
        broken=("rtl_gen.pruning.topk", "(sums[i] == key)", "(sums[i] >= key)"),
        depth=TwoPrunings.cycles(),
    ),
)
