"""Top level: runs a program of loads, attention heads and prunings from memory.

`start` (one cycle) runs the program at byte address `program_address`. `done` rises at its end and, like `error`
(an ErrorCode), stays until the next start. Counters count from start to done and keep their values.

Memory port: `read_request` asks for beats that come back in order on `read_data`; `write` sends one beat
each. The streams may stall at any time.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.attention.attention import Attention
from rtl_gen.common.layouts import row_layout
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import ADDRESS_BITS, ErrorCode, Opcode, Target
from rtl_gen.control.sequencer import Sequencer
from rtl_gen.memory.banked import BankedMemory
from rtl_gen.memory.loader import Loader
from rtl_gen.memory.port import read_request_layout, write_layout
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.memory.writer import RowWriter
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.topk import TopK

COUNTER_BITS = 32


class Accelerator(wiring.Component):
    """See the module's docstring; `COUNTERS` tells what each counter port counts."""

    COUNTERS = {
        "cycles": "cycles from start to done",
        "load_cycles": "cycles in which a LOAD runs",
        "attend_cycles": "cycles in which an ATTEND runs",
        "prune_cycles": "cycles in which a PRUNE runs",
        "qk_beats": "array cycles of QK^T",
        "pv_beats": "array cycles of PV",
        "read_beats": "beats read from memory",
        "write_beats": "beats written to memory",
    }

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "program_address": In(ADDRESS_BITS),
                "busy": Out(1),
                "done": Out(1),
                "error": Out(ErrorCode),
                "live_count": Out(config.count_bits),
                "read_request": Out(stream.Signature(read_request_layout())),
                "read_data": In(stream.Signature(unsigned(8 * config.bus_bytes))),
                "write": Out(stream.Signature(write_layout(config))),
                **{name: Out(COUNTER_BITS) for name in self.COUNTERS},
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.loader = loader = Loader(config)
        m.submodules.live_tokens = live_tokens = LiveTokens(config)
        m.submodules.topk = topk = TopK(config)
        m.submodules.attention = attention = Attention(config)
        m.submodules.writer = writer = RowWriter(config)
        self._memories(m, loader, attention)
        self._read_port(m, sequencer, loader)

        m.d.comb += [
            sequencer.start.eq(self.start & ~self.busy),
            sequencer.program_address.eq(self.program_address),
            self.busy.eq(sequencer.busy),
            self.done.eq(sequencer.done),
            self.error.eq(sequencer.error),
            self.live_count.eq(live_tokens.count),
        ]
        connect(m, sequencer.load, loader.command)
        connect(m, sequencer.attend, attention.start)
        connect(m, sequencer.fill, live_tokens.fill)
        connect(m, attention.rows, writer.rows)
        connect(m, writer.write, flipped(self.write))
        m.d.comb += writer.base.eq(sequencer.output_address)

        connect(m, attention.list, live_tokens.read)
        m.d.comb += [attention.count.eq(live_tokens.count), attention.live.eq(live_tokens.live)]

        # Pruning; SET_TOKENS clears the importance sums, PRUNE does so behind its last pass.
        connect(m, topk.keep, live_tokens.keep)
        clearing = Signal()
        clear_word = Signal(config.word_bits)
        with m.If(sequencer.fill.valid & sequencer.fill.ready):
            m.d.sync += [clearing.eq(1), clear_word.eq(0)]
        with m.Elif(clearing):
            m.d.sync += clear_word.eq(clear_word + 1)
            with m.If(clear_word == config.bank_depth - 1):
                m.d.sync += clearing.eq(0)
        m.d.comb += [
            topk.start.valid.eq(sequencer.prune.valid),
            sequencer.prune.ready.eq(topk.start.ready),
            topk.start.payload.keep.eq(sequencer.prune.payload),
            topk.start.payload.tokens.eq(sequencer.tokens),
            topk.live.eq(live_tokens.live),
            topk.read_data.eq(attention.sort_data),
            attention.sort_enable.eq(sequencer.opcode == Opcode.PRUNE),
            attention.sort_address.eq(topk.read_address),
            attention.clear.eq(topk.clear_enable | clearing),
            attention.clear_address.eq(Mux(clearing, clear_word, topk.clear_address)),
        ]

        with m.Switch(sequencer.opcode):
            with m.Case(Opcode.LOAD):
                m.d.comb += sequencer.finished.eq(loader.idle)
            with m.Case(Opcode.ATTEND):
                m.d.comb += sequencer.finished.eq(attention.idle)
            with m.Default():
                m.d.comb += sequencer.finished.eq(live_tokens.done)

        runs = {opcode: sequencer.opcode == opcode for opcode in Opcode}
        self._count(
            m,
            cycles=self.busy,
            load_cycles=runs[Opcode.LOAD],
            attend_cycles=runs[Opcode.ATTEND],
            prune_cycles=runs[Opcode.PRUNE],
            qk_beats=attention.qk_beat,
            pv_beats=attention.pv_beat,
            read_beats=self.read_data.valid & self.read_data.ready,
            write_beats=self.write.valid & self.write.ready,
        )
        return m

    def _memories(self, m: Module, loader: Loader, attention: Attention) -> None:
        """Query, K/V and mask memories between loader and attention, and the array on top."""
        config = self.config
        m.submodules.array = array = MacArray(config)
        m.submodules.operands = operands = OperandRegisters(config)
        m.submodules.query_memory = query = RowMemory(
            depth=config.max_tokens, shape=row_layout(config)
        )
        m.submodules.mask_memory = mask = RowMemory(
            depth=config.mask_depth, shape=config.mask_word_bits
        )
        # K and V share their banks: bit 0 of the address chooses V.
        m.submodules.kv_memory = kv = BankedMemory(
            banks=config.lanes, depth=2 * config.bank_depth, shape=row_layout(config)
        )
        connect(m, attention.query, query.read)
        connect(m, attention.mask, mask.read)
        is_value = loader.target == Target.VALUE
        m.d.comb += [
            query.write_enable.eq(loader.write & (loader.target == Target.QUERY)),
            query.write_address.eq(loader.index),
            query.write_data.eq(loader.row),
            mask.write_enable.eq(loader.write & (loader.target == Target.MASK)),
            mask.write_address.eq(loader.index),
            mask.write_data.eq(loader.mask_word),
            kv.write_address.eq(Cat(is_value, loader.bank_word)),
            kv.write_data.eq(loader.row),
            kv.address.eq(attention.kv_address),
            operands.query.eq(query.read.data),
            operands.banks.eq(kv.data),
            operands.scalars_in.eq(attention.scalars),
            operands.scale_lanes_in.eq(attention.scale_lanes),
            array.row.eq(operands.row),
            array.scalars.eq(operands.scalars),
            array.scale_lanes.eq(operands.scale_lanes),
            array.vectors.eq(operands.vectors),
            attention.dots.eq(array.dots),
            attention.columns.eq(array.columns),
        ]
        with m.If(loader.write & (is_value | (loader.target == Target.KEY))):
            m.d.comb += kv.write_enable.eq(loader.bank)

    def _read_port(self, m: Module, sequencer: Sequencer, loader: Loader) -> None:
        """Commands and loads share the port; the sequencer never runs both at once."""
        request = self.read_request
        m.d.comb += [
            request.valid.eq(sequencer.request.valid | loader.request.valid),
            request.payload.eq(
                Mux(loader.request.valid, loader.request.payload, sequencer.request.payload)
            ),
            sequencer.request.ready.eq(request.ready),
            loader.request.ready.eq(request.ready),
        ]
        readers = (sequencer.data, loader.data)
        for reader in readers:
            m.d.comb += [
                reader.valid.eq(self.read_data.valid),
                reader.payload.eq(self.read_data.payload),
            ]
        m.d.comb += self.read_data.ready.eq(reduce(or_, (reader.ready for reader in readers)))

    def _count(self, m: Module, **events) -> None:
        """Counter `name` counts cycles with its event; a start clears all."""
        for name in self.COUNTERS:
            counter = getattr(self, name)
            with m.If(self.start & ~self.busy):
                m.d.sync += counter.eq(0)
            with m.Elif(events[name]):
                m.d.sync += counter.eq(counter + 1)
