"""The pruning units as an accelerator wires them, with a bench's access to what they work on."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.config import AcceleratorConfig
from rtl_gen.memory.row_memory import read_signature
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.topk import TopK

CYCLE_COUNTER_BITS = 16


class PruningStage(wiring.Component):
    """Top-k sorter, live-token list and importance memory.

    Attributes
    ----------
    fill, live, count, done
        Those of LiveTokens.
    read : read port, in
        That of LiveTokens.
    start : stream, in
        That of TopK.
    load : stream, in
        Keep words that take the sorter's place and make any set of tokens live. Always ready.
    deposit : stream, in
        A word of importance sums for the importance memory. Always ready.
    inspect : read port, in
        A second one of the importance memory, one cycle of latency.
    select_cycles, update_cycles : out
        Cycles from the last transfer of `fill` or `start` to the last keep word and to `done`.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.topk = TopK(config)
        self.live_tokens = LiveTokens(config)
        self.keep_word = self.live_tokens.keep.payload.shape()
        self.deposit_word = data.StructLayout({"address": config.word_bits, "sums": self.topk.sums})
        super().__init__(
            {
                "fill": self.live_tokens.signature.members["fill"],
                "start": self.topk.signature.members["start"],
                "load": In(stream.Signature(self.keep_word)),
                "deposit": In(stream.Signature(self.deposit_word)),
                "inspect": In(read_signature(config.bank_depth, self.topk.sums)),
                "read": In(read_signature(config.max_tokens, unsigned(config.token_bits))),
                "live": Out(config.bank_depth * config.lanes),
                "count": Out(config.count_bits),
                "done": Out(1),
                "select_cycles": Out(CYCLE_COUNTER_BITS),
                "update_cycles": Out(CYCLE_COUNTER_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.topk = topk = self.topk
        m.submodules.live_tokens = live_tokens = self.live_tokens
        m.submodules.importance = importance = memory.Memory(
            shape=self.topk.sums, depth=self.config.bank_depth, init=[]
        )
        write, read, inspect = (
            importance.write_port(),
            importance.read_port(),
            importance.read_port(),
        )
        deposited = self.deposit.payload
        connect(m, flipped(self.fill), live_tokens.fill)
        connect(m, flipped(self.start), topk.start)
        m.d.comb += [
            self.load.ready.eq(1),
            self.deposit.ready.eq(1),
            live_tokens.keep.valid.eq(topk.keep.valid | self.load.valid),
            live_tokens.keep.payload.eq(Mux(self.load.valid, self.load.payload, topk.keep.payload)),
            topk.live.eq(live_tokens.live),
            topk.sort.data.eq(read.data),
            read.addr.eq(topk.sort.address),
            write.en.eq(topk.clear.valid | self.deposit.valid),
            write.addr.eq(Mux(self.deposit.valid, deposited.address, topk.clear.payload)),
            write.data.as_value().eq(Mux(self.deposit.valid, deposited.sums.as_value(), 0)),
            inspect.en.eq(self.inspect.enable),
            inspect.addr.eq(self.inspect.address),
            self.inspect.data.eq(inspect.data),
            live_tokens.read.enable.eq(self.read.enable),
            live_tokens.read.position.eq(self.read.address),
            self.read.data.eq(live_tokens.read.token),
            self.live.eq(live_tokens.live),
            self.count.eq(live_tokens.count),
            self.done.eq(live_tokens.done),
        ]

        elapsed = Signal(CYCLE_COUNTER_BITS)
        m.d.sync += elapsed.eq(elapsed + 1)
        with m.If((self.fill.valid & self.fill.ready) | (self.start.valid & self.start.ready)):
            m.d.sync += elapsed.eq(1)
        with m.If(topk.keep.valid & topk.keep.payload.last):
            m.d.sync += self.select_cycles.eq(elapsed)
        with m.If(self.done):
            m.d.sync += self.update_cycles.eq(elapsed)
        return m
