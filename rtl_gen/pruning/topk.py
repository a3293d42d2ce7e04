"""Top-k sorter of SpAtten's cascade token pruning: chooses the k live tokens of largest importance,
in a time that does not depend on the data.
"""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen import numerics
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import sums_layout
from rtl_gen.interfaces.memories import memory_plan
from rtl_gen.pruning.keep_word import any_of, keep_word_signature, prefix_counts

RADIX = 1 << numerics.SORT_DIGIT_BITS


class TopK(wiring.Component):
    """Radix select, most significant digit first, over the banked importance sums.

    The threshold is the k-th largest sum of a live token. A pass settles SORT_DIGIT_BITS of its
    bits: it reads all words of `lanes` sums and, among the live tokens whose upper digits equal the
    threshold's, counts for every d >= 1 those with a digit of at least d. The threshold's digit is
    the largest d whose count reaches `remaining`, the number of places not yet taken (0 if none
    does), and the tokens above it take their places. A last pass reads the words once more, keeps
    the tokens above the threshold and `remaining` of those equal to it, lower index first, and
    clears the sums behind itself.

    A `keep` above the number of live tokens keeps all of them. The first `prefix` tokens of the
    sequence (class, distillation and register tokens) count as having the largest sum there is, so
    that they stay.

    Attributes
    ----------
    start : in, `tokens`, the length n of the sequence with its dropped tokens (1 to max_tokens),
        `keep`, the tokens k to keep (1 to max_tokens), and `prefix` (0 to k); not ready during a
        selection
    live : in, bit j is set if token j is live; clear from bit n on. Stable until the first keep
        word, from when on word w may change once keep word w is out
    sort : out, read port of the importance memory
    clear : out, words of the importance memory to zero
    keep : out, ceil(n / lanes) keep words in consecutive cycles
    """

    READ_STAGES = 2
    """From the address to the registered sums: memory, output register."""
    DIGIT_STAGES = 6
    """From the sums to the threshold: compare, decode, count, accumulate, compare, choose."""
    KEEP_STAGES = 3
    """From the sums to the keep word: compare, rank ties, decide."""
    PASS_GAP = DIGIT_STAGES - 1
    """Cycles without a read between two passes: the second one's sums meet the new threshold."""

    @classmethod
    def latency(cls, config: AcceleratorConfig, tokens: int) -> int:
        """Cycles from the one in which `start` transfers to the one with the last keep word."""
        passes = config.importance_bits // numerics.SORT_DIGIT_BITS
        words = -(-tokens // config.lanes)
        return passes * (words + cls.PASS_GAP) + words + cls.READ_STAGES + cls.KEEP_STAGES

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.digits = config.importance_bits // numerics.SORT_DIGIT_BITS
        self.sum_digits = data.ArrayLayout(numerics.SORT_DIGIT_BITS, self.digits)
        self.sums = sums_layout(config)
        command = data.StructLayout(dict.fromkeys(("tokens", "keep", "prefix"), config.count_bits))
        super().__init__(
            {
                "start": In(stream.Signature(command)),
                "live": In(config.bank_depth * config.lanes),
                "sort": Out(memory_plan(config)["importance"].read_signature()),
                "clear": Out(stream.Signature(unsigned(config.word_bits), always_ready=True)),
                "keep": Out(keep_word_signature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # What is known of the word whose address was issued i cycles ago: tags[i].
        tag = data.StructLayout(
            {
                "valid": 1,
                "last": 1,
                "select": 1,
                "digit": Shape.cast(range(self.digits)),
                "word": self.config.word_bits,
            }
        )
        depth = self.READ_STAGES + max(self.DIGIT_STAGES, self.KEEP_STAGES)
        tags = [Signal(tag, name=f"tag_{i}") for i in range(depth + 1)]
        for newer, older in pairwise(tags):
            m.d.sync += older.eq(newer)
        at_sums = tags[self.READ_STAGES :]

        threshold = Signal(self.sum_digits, reset_less=True)
        remaining = Signal(self.config.count_bits, reset_less=True)
        self._sequence(m, tags, remaining)
        sums, live = self._read(m, tags, self._protect(m, tags[0]))
        self._settle_digit(m, at_sums, sums, live, threshold, remaining)
        self._select(m, at_sums, sums, live, threshold, remaining)
        self._contract(m)
        return m

    def _sequence(self, m: Module, tags: list[data.View], remaining: Signal) -> None:
        """Issues every word in each pass: one pass a digit, then the select pass."""
        word = Signal(self.config.word_bits)
        last_word = Signal(self.config.word_bits, reset_less=True)
        passes_left = Signal(range(self.digits + 1), reset_less=True)
        issued = tags[0]
        m.d.comb += [
            issued.last.eq(issued.valid & (word == last_word)),
            issued.select.eq(passes_left == 0),
            issued.digit.eq(passes_left - 1),
            issued.word.eq(word),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.start.ready.eq(1)
                m.d.sync += [
                    last_word.eq((self.start.payload.tokens - 1) >> exact_log2(self.config.lanes)),
                    remaining.eq(self.start.payload.keep),
                    passes_left.eq(self.digits),
                ]
                with m.If(self.start.valid):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += issued.valid.eq(1)
                m.d.sync += word.eq(word + 1)
                with m.If(issued.last):
                    m.d.sync += [word.eq(0), passes_left.eq(passes_left - 1)]
                    m.next = "SETTLE"
                    with m.If(issued.select):
                        m.next = "DRAIN"
            with m.State("SETTLE"), m.If(tags[self.PASS_GAP].last):
                m.next = "READ"
            with m.State("DRAIN"), m.If(self.keep.valid & self.keep.payload.last):
                m.next = "IDLE"

    def _protect(self, m: Module, issued: data.View) -> Value:
        """Which lanes hold tokens of the prefix, in the cycle behind a word's address: all in front
        of the word in which the prefix ends, the first ones in it.
        """
        lanes, prefix = self.config.lanes, self.start.payload.prefix
        end = Signal(prefix.shape(), reset_less=True)
        with m.If(self.start.ready):
            m.d.sync += end.eq(prefix)
        end_lane, end_word = end[: exact_log2(lanes)], end[exact_log2(lanes) :]
        whole = register(m, issued.word < end_word, name="whole_word")
        ends = register(m, issued.word == end_word, name="prefix_ends")
        return Cat(whole | (ends & (lane < end_lane)) for lane in range(lanes))

    def _read(self, m: Module, tags: list[data.View], protected: Value) -> tuple[data.View, Signal]:
        """The registered sums and live bits of the word that `tags[READ_STAGES]` describes."""
        sums = Signal(self.sums, reset_less=True)
        live = Signal(self.config.lanes, reset_less=True)
        addressed = tags[self.READ_STAGES - 1]
        m.d.comb += [
            self.sort.enable.eq(tags[0].valid),
            self.sort.address.eq(tags[0].word),
            self.clear.valid.eq(addressed.valid & addressed.select),
            self.clear.payload.eq(addressed.word),
        ]
        m.d.sync += [
            sums.eq(self.sort.data),
            live.eq(self.live.word_select(addressed.word, self.config.lanes)),
        ]
        for lane in range(self.config.lanes):
            with m.If(protected[lane]):
                m.d.sync += sums[lane].eq((1 << self.config.importance_bits) - 1)
        return sums, live

    def _settle_digit(
        self,
        m: Module,
        tags: list[data.View],
        sums: data.View,
        live: Signal,
        threshold: data.View,
        remaining: Signal,
    ) -> None:
        """Counts the candidates by digit and, at the end of a pass, extends the threshold.

        Element d of `counts` and `reached` is about the candidates with a digit of at least d.
        """
        lanes = range(self.config.lanes)
        compared, counted = tags[0], tags[self.DIGIT_STAGES - 3]
        settled, chosen = tags[self.DIGIT_STAGES - 1], tags[self.DIGIT_STAGES]
        values = [data.View(self.sum_digits, sums[lane]) for lane in lanes]

        agree = [
            Cat((compared.digit >= i) | (value[i] == threshold[i]) for i in range(self.digits))
            for value in values
        ]
        candidate = register(
            m, Cat(live[lane] & agree[lane].all() for lane in lanes), name="candidate"
        )
        digits = [register(m, values[lane][compared.digit], name=f"digit_{lane}") for lane in lanes]

        counts = {}
        reached = {0: Const(1), RADIX: Const(0)}
        for d in range(1, RADIX):
            at_least = register(
                m, candidate & Cat(digit >= d for digit in digits), name=f"at_least_{d}"
            )
            ones = register(m, prefix_counts(at_least)[-1], name=f"ones_{d}")
            counts[d] = Signal(self.config.count_bits, name=f"count_{d}", reset_less=True)
            with m.If(counted.valid):
                m.d.sync += counts[d].eq(Mux(counted.word == 0, 0, counts[d]) + ones)
            reached[d] = register(m, counts[d] >= remaining, name=f"reached_{d}")

        best = Signal(numerics.SORT_DIGIT_BITS)
        is_best = [reached[d] & ~reached[d + 1] for d in range(RADIX)]
        m.d.comb += best.eq(any_of(Mux(is_best[d], d, 0) for d in range(RADIX)))
        placed = register(
            m, any_of(Mux(is_best[d], counts[d + 1], 0) for d in range(RADIX - 1)), name="placed"
        )
        with m.If(settled.last & ~settled.select):
            m.d.sync += threshold[settled.digit].eq(best)
        with m.If(chosen.last & ~chosen.select):
            m.d.sync += remaining.eq(remaining - placed)

    def _select(
        self,
        m: Module,
        tags: list[data.View],
        sums: data.View,
        live: Signal,
        threshold: data.View,
        remaining: Signal,
    ) -> None:
        """Compares with the whole threshold, ranks the ties of a word, decides."""
        lanes = range(self.config.lanes)
        ranked, decided = tags[self.KEEP_STAGES - 1], tags[self.KEEP_STAGES]
        key = threshold.as_value()
        above = register(m, Cat(live[i] & (sums[i] > key) for i in lanes), name="above")
        equal = register(m, Cat(live[i] & (sums[i] == key) for i in lanes), name="equal")
        above_ranked = register(m, above, name="above_ranked")
        equal_ranked = register(m, equal, name="equal_ranked")
        *ties_below, ties = (
            register(m, count, name=f"ties_below_{lane}")
            for lane, count in enumerate(prefix_counts(equal))
        )
        first_ties = Cat(equal_ranked[i] & (ties_below[i] < remaining) for i in lanes)
        bits = register(m, above_ranked | first_ties, name="keep_bits")
        with m.If(ranked.valid & ranked.select):
            m.d.sync += remaining.eq(Mux(ties < remaining, remaining - ties, 0))
        m.d.comb += [
            self.keep.valid.eq(decided.valid & decided.select),
            self.keep.payload.word.eq(decided.word),
            self.keep.payload.bits.eq(bits),
            self.keep.payload.last.eq(decided.last),
        ]

    def _contract(self, m: Module) -> None:
        start = self.start.payload
        in_range = (start.tokens != 0) & (start.tokens <= self.config.max_tokens)
        in_range &= (start.keep != 0) & (start.prefix <= start.keep)
        require(m, ~self.start.valid | in_range, "top-k: a number of tokens out of range")
