"""SET_TOKENS and PRUNE: the sequence's tokens, and SpAtten's cascade pruning of them.

    PRUNE -> TopK -> keep words -> LiveTokens -> live_list, live
              ^                        ^
         importance                SET_TOKENS

PRUNE reads the importance sums a digit at a time, keeps the most important tokens and clears the
sums behind itself. SET_TOKENS makes the first tokens live and clears all sums beside that.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.common.contract import require
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.memories import held, memory_plan, reads
from rtl_gen.interfaces.ports import always
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.topk import TopK


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    beyond = (command.count == 0) | (command.count > config.max_tokens)
    return {ErrorCode.COUNT_OUT_OF_RANGE: beyond}


def _prune_errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    return _errors(config, command) | {ErrorCode.ILLEGAL_FIELD: command.prefix > command.count}


def _set_tokens_cycles(config: AcceleratorConfig, _command: Any, _tokens: int, _live: int) -> int:
    return LiveTokens.fill_latency(config)


def _prune_cycles(config: AcceleratorConfig, _command: Any, tokens: int, _live: int) -> int:
    """Neither how many are live, nor how many are kept, nor their importance matters."""
    return TopK.latency(config, tokens) + LiveTokens.UPDATE_LATENCY


SET_TOKENS = Command(
    name="SET_TOKENS",
    does="tokens 0 .. `count` - 1 are live, importance sums are 0",
    fields=("count",),
    unit="prune",
    sets_tokens=True,
    errors=_errors,
    busy_cycles=_set_tokens_cycles,
)

PRUNE = Command(
    name="PRUNE",
    does="the `count` most important live tokens stay, the first `prefix` of the sequence in any "
    "case, sums are 0",
    fields=("count", "prefix"),
    unit="prune",
    needs_tokens=True,
    loses_first=lambda command: command.prefix == 0,
    errors=_prune_errors,
    busy_cycles=_prune_cycles,
)


class Pruning(wiring.Component):
    """
    Attributes
    ----------
    set_tokens, prune : in, commands; taken while idle
    reads : out, the importance sums; only while idle or during PRUNE
    clear : out, words of the importance sums to zero
    held : in, read ports of the list of live tokens (LIST_LATENCY) and of the bitmap (at once)
    live, count : out, the bitmap (bit j: token j is live) and how many are; they change at the end
        of a command
    idle : out, no command under way
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "set_tokens": In(SET_TOKENS.signature(config)),
                "prune": In(PRUNE.signature(config)),
                "reads": Out(reads(config, "prune")),
                "clear": Out(always(unsigned(config.word_bits))),
                "held": In(held(config, "prune")),
                "live": Out(config.bank_depth * config.lanes),
                "count": Out(config.count_bits),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.topk = topk = TopK(config)
        m.submodules.live_tokens = live_tokens = LiveTokens(config)
        tokens = Signal(config.count_bits, reset_less=True)
        fill = self.set_tokens.valid & self.set_tokens.ready
        prune = self.prune.valid & self.prune.ready
        busy = Signal()
        m.d.comb += [
            self.idle.eq(~busy),
            live_tokens.fill.valid.eq(self.set_tokens.valid),
            live_tokens.fill.payload.eq(self.set_tokens.payload.count),
            self.set_tokens.ready.eq(live_tokens.fill.ready),
            topk.start.valid.eq(self.prune.valid),
            topk.start.payload.tokens.eq(tokens),
            topk.start.payload.keep.eq(self.prune.payload.count),
            topk.start.payload.prefix.eq(self.prune.payload.prefix),
            self.prune.ready.eq(topk.start.ready),
            topk.live.eq(live_tokens.live),
            self.live.eq(live_tokens.live),
            self.count.eq(live_tokens.count),
        ]
        connect(m, topk.sort, flipped(self.reads.importance))
        connect(m, topk.keep, live_tokens.keep)
        connect(m, flipped(self.held.live_list), live_tokens.read)
        with m.If(fill):
            m.d.sync += tokens.eq(self.set_tokens.payload.count)
        with m.If(fill | prune):
            m.d.sync += busy.eq(1)
        with m.Elif(live_tokens.done):
            m.d.sync += busy.eq(0)
        require(m, ~((fill | prune) & busy), "pruning: a command while one is under way")
        self._clear(m, fill, topk.clear)
        self._bitmap(m)
        return m

    def _clear(self, m: Module, fill: Value, after_sort) -> None:
        """Clears a word a cycle behind SET_TOKENS; the sorter clears those that it has read."""
        clearing = Signal()
        word = Signal(self._config.word_bits)
        with m.If(fill):
            m.d.sync += [clearing.eq(1), word.eq(0)]
        with m.Elif(clearing):
            m.d.sync += [word.eq(word + 1), clearing.eq(word != self._config.bank_depth - 1)]
        m.d.comb += [
            self.clear.valid.eq(after_sort.valid | clearing),
            self.clear.payload.eq(Mux(clearing, word, after_sort.payload)),
        ]

    def _bitmap(self, m: Module) -> None:
        """Rows of the bitmap for STORE, which keeps the address until it has taken them."""
        rows = memory_plan(self._config)["live"]
        bits = Signal(ArrayLayout(rows.shape, rows.words))
        m.d.comb += [
            bits.as_value().eq(self.live),
            self.held.live.data.eq(bits[self.held.live.address] if rows.words > 1 else bits[0]),
        ]
