"""Core: every unit between the program stream and the rows that go back to memory.

See docs/architecture.md for the dataflow. `rows` is the program from its header on, as `fetch` asks
for it; `stored` are rows on their way to memory.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen import numerics
from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.attention.attention import Attention
from rtl_gen.common.pipeline import delay, register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.dispatcher import Dispatcher, fetch_layout, head_place_layout
from rtl_gen.interfaces.layouts import row_layout
from rtl_gen.interfaces.memories import kv_address
from rtl_gen.interfaces.program import ADDRESS_BITS, ErrorCode
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.linear.engine import LinearEngine
from rtl_gen.memory.banked import BankedMemory
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.norm.layer_norm import LayerNorm
from rtl_gen.norm.norm_statistics import NormStatistics
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.topk import TopK
from rtl_gen.transfer.row_loader import RowLoader
from rtl_gen.transfer.row_storer import RowStorer, stored_row_layout


class Core(wiring.Component):
    """
    Attributes
    ----------
    start, program_address, busy, error, clear : see Dispatcher
    fetch, rows, row_lost : the program stream
    write_failed, memory_idle : state of the way to memory
    stored : rows for memory
    events : one bit an event that a counter counts, in the order of EVENTS
    """

    IDLE_CYCLES = 1
    """From an idle flag to what the dispatcher, or a waiting linear layer, sees of it."""

    EVENTS = {
        "cycles": "cycles from start to done",
        "linear_cycles": "cycles in which a linear layer runs",
        "attention_cycles": "cycles in which a head runs",
        "norm_cycles": "cycles in which a norm runs",
        "prune_cycles": "cycles in which tokens are selected",
        "load_cycles": "cycles in which a LOAD runs, whatever else does",
        "store_cycles": "cycles in which a STORE runs",
        "linear_beats": "array cycles of linear layers",
        "qk_beats": "array cycles of QK^T",
        "pv_beats": "array cycles of PV",
        "weight_stalls": "cycles in which a linear layer waits for weights",
        "rows_read": "rows of the program taken",
        "rows_written": "rows sent to memory",
    }

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "program_address": In(ADDRESS_BITS),
                "busy": Out(1),
                "error": Out(ErrorCode),
                "clear": Out(1),
                "fetch": Out(stream.Signature(fetch_layout())),
                "rows": In(stream.Signature(unsigned(config.row_bits))),
                "row_lost": In(1),
                "write_failed": In(1),
                "memory_idle": In(1),
                "stored": Out(stream.Signature(stored_row_layout(config))),
                "events": Out(len(self.EVENTS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.dispatcher = dispatcher = Dispatcher(config)
        clear = ResetInserter(dispatcher.clear)

        def add(name: str, unit):
            """A unit that the dispatcher clears when a program is stopped."""
            m.submodules[name] = clear(unit)
            return unit

        loader = add("loader", RowLoader(config))
        storer = add("storer", RowStorer(config))
        linear = add("linear", LinearEngine(config))
        statistics = add("statistics", NormStatistics(config))
        norm = add("norm", LayerNorm(config))
        attention = add("attention", Attention(config))
        topk = add("topk", TopK(config))
        live = add("live_tokens", LiveTokens(config))
        m.submodules.array = array = MacArray(config)
        m.submodules.operands = operands = OperandRegisters(config)

        # Control.
        m.d.comb += [
            dispatcher.start.eq(self.start),
            dispatcher.program_address.eq(self.program_address),
            self.busy.eq(dispatcher.busy),
            self.error.eq(dispatcher.error),
            self.clear.eq(dispatcher.clear),
            dispatcher.row_lost.eq(self.row_lost),
            dispatcher.write_failed.eq(self.write_failed),
            dispatcher.count.eq(live.count),
        ]
        connect(m, dispatcher.fetch, flipped(self.fetch))
        connect(m, flipped(self.rows), dispatcher.rows)
        connect(m, dispatcher.load, loader.command)
        connect(m, dispatcher.linear, linear.linear)
        connect(m, dispatcher.norm, norm.start)
        connect(m, dispatcher.attend, attention.start)
        connect(m, dispatcher.store, storer.command)
        connect(m, dispatcher.fill, live.fill)
        connect(m, dispatcher.loader_rows, loader.rows)
        connect(m, dispatcher.linear_rows, linear.payload.rows)
        connect(m, storer.rows, flipped(self.stored))
        tokens_idle = self._tokens(m, dispatcher, live, topk, attention)
        head_place = Signal(head_place_layout(config), reset_less=True)
        with m.If(dispatcher.attend.valid & dispatcher.attend.ready):
            m.d.sync += head_place.eq(dispatcher.head_place)

        norm_idle = norm.start.ready
        others_idle = attention.idle & norm_idle & tokens_idle & storer.idle
        m.d.comb += [
            dispatcher.loader_idle.eq(loader.idle),
            dispatcher.linear_feeding.eq(linear.payload.feeding | linear.payload.expects),
        ]
        # A unit's start is IDLE_CYCLES behind the idle flags that it waits for. A flag falls in the
        # cycle after a command; the next command takes longer than that.
        all_idle = others_idle & linear.idle & loader.idle & self.memory_idle
        m.d.sync += [dispatcher.all_idle.eq(all_idle), linear.go.eq(others_idle)]

        # The live-token list has one reader at a time.
        m.d.comb += [
            attention.count.eq(live.count),
            attention.live.eq(live.live),
            linear.count.eq(live.count),
        ]
        readers = {norm: ~norm_idle}
        port = attention.list
        m.d.comb += [live.read.enable.eq(port.enable), live.read.position.eq(port.position)]
        for reader, active in readers.items():
            with m.If(active):
                m.d.comb += [
                    live.read.enable.eq(reader.list.enable),
                    live.read.position.eq(reader.list.position),
                ]
        port = linear.reads.live_list
        with m.If(linear.events.running):
            m.d.comb += [
                live.read.enable.eq(port.enable),
                live.read.position.eq(port.address),
            ]
        m.d.comb += port.data.eq(live.read.token)
        for reader in (attention, norm):
            m.d.comb += reader.list.token.eq(live.read.token)

        # Array.
        m.d.comb += [
            operands.attention.argument.lanes.scalars.eq(attention.scalars),
            operands.attention.argument.lanes.scale_lanes.eq(attention.scale_lanes),
            attention.dots.eq(operands.attention.result.dots),
            attention.columns.eq(operands.attention.result.columns),
        ]
        connect(m, linear.operands, operands.linear)
        connect(m, operands.array, array.compute)
        self._memories(m, loader, storer, linear, norm, attention, topk, operands, head_place, live)

        # Statistics of the next norm, beside the residual writes.
        m.d.comb += [
            statistics.valid.eq(linear.updates.valid),
            statistics.token.eq(linear.updates.payload.token),
            statistics.first.eq(linear.updates.payload.first),
            statistics.values.eq(linear.updates.payload.values),
        ]
        connect(m, norm.statistics, statistics.read)

        events = {
            "cycles": self.busy,
            "linear_cycles": linear.events.running,
            "attention_cycles": ~attention.idle,
            "norm_cycles": ~norm_idle,
            "prune_cycles": ~tokens_idle,
            "load_cycles": ~loader.idle,
            "store_cycles": ~storer.idle,
            "linear_beats": linear.events.beat,
            "qk_beats": attention.qk_beat,
            "pv_beats": attention.pv_beat,
            "weight_stalls": linear.events.stalled,
            "rows_read": self.rows.valid & self.rows.ready,
            "rows_written": self.stored.valid & self.stored.ready,
        }
        m.d.comb += self.events.eq(Cat(events[name] for name in self.EVENTS))
        return m

    def _tokens(self, m: Module, dispatcher, live, topk, attention):
        """SET_TOKENS and PRUNE; returns whether neither is under way.

        SET_TOKENS clears the importance sums, PRUNE does so behind its last pass.
        """
        config = self._config
        connect(m, topk.keep, live.keep)
        fill = dispatcher.fill.valid & dispatcher.fill.ready
        prune = dispatcher.prune.valid & dispatcher.prune.ready
        busy, clearing = Signal(), Signal()
        clear_word = Signal(config.word_bits)
        with m.If(fill | prune):
            m.d.sync += [busy.eq(1), clearing.eq(fill), clear_word.eq(0)]
        with m.Elif(live.done | dispatcher.clear):
            m.d.sync += [busy.eq(0), clearing.eq(0)]
        with m.If(clearing):
            m.d.sync += clear_word.eq(clear_word + 1)
            with m.If(clear_word == config.bank_depth - 1):
                m.d.sync += clearing.eq(0)
        m.d.comb += [
            topk.start.valid.eq(dispatcher.prune.valid),
            dispatcher.prune.ready.eq(topk.start.ready),
            topk.start.payload.keep.eq(dispatcher.prune.payload),
            topk.start.payload.tokens.eq(dispatcher.tokens),
            topk.live.eq(live.live),
            topk.sort.data.eq(attention.sort.data),
            attention.clear.valid.eq(topk.clear.valid | clearing),
            attention.clear.payload.eq(Mux(clearing, clear_word, topk.clear.payload)),
        ]
        return ~busy

    def _memories(
        self, m: Module, loader, storer, linear, norm, attention, topk, operands, head_place, live
    ) -> None:
        """The memories, each with one writer and one reader at a time."""
        config = self._config
        chunks = config.chunks
        row = row_layout(config)
        load = {target: loader.write & (loader.target == target) for target in Target}
        store = {target: storer.active & (storer.target == target) for target in Target}

        def write(memory, *, enable, chunks, address, data) -> None:
            with m.If(enable):
                m.d.comb += [
                    memory.write_enable.eq(chunks),
                    memory.write_address.eq(address),
                    memory.write_data.eq(data),
                ]

        def load_rows(memory, target: Target) -> None:
            write(memory, enable=load[target], chunks=-1, address=loader.row, data=loader.data)

        def write_results(memory, port) -> None:
            write(
                memory,
                enable=port.enable.any(),
                chunks=port.enable,
                address=port.address,
                data=port.data,
            )

        def read(memory, target: Target, port) -> None:
            """`port` reads, or the storer."""
            m.d.comb += [
                memory.read.enable.eq(port.enable),
                memory.read.address.eq(port.address),
            ]
            with m.If(store[target]):
                m.d.comb += [memory.read.enable.eq(1), memory.read.address.eq(storer.row)]

        # Query: row of the live token.
        m.submodules.query = query = RowMemory(depth=config.max_tokens, shape=row, chunks=chunks)
        load_rows(query, Target.QUERY)
        write_results(query, linear.writes.query)
        read(query, Target.QUERY, attention.query)

        # K and V share their banks: bit 0 of the address chooses V.
        m.submodules.banks = banks = BankedMemory(
            banks=config.lanes, depth=2 * config.bank_depth, shape=row, chunks=chunks
        )
        lane_bits = (config.lanes - 1).bit_length()
        loads_kv = load[Target.KEY] | load[Target.VALUE]
        kv = linear.writes.kv
        loaded = kv_address(config, loader.row, loader.target == Target.VALUE)
        address = Mux(loads_kv, loaded, kv.address)
        stores_kv = store[Target.KEY] | store[Target.VALUE]
        stored_word = Cat(storer.target == Target.VALUE, (storer.row >> lane_bits))
        m.d.comb += [
            banks.write_address.eq(address >> lane_bits),
            banks.write_data.eq(Mux(loads_kv, loader.data, kv.data.as_value())),
            banks.write_chunks.eq(Mux(loads_kv, -1, kv.enable)),
        ]
        with m.If(loads_kv | kv.enable.any()):
            m.d.comb += banks.write_enable.eq(1 << address[:lane_bits])
        for lane in range(config.lanes):
            m.d.comb += banks.address[lane].eq(
                Mux(stores_kv, stored_word, attention.kv_address[lane])
            )

        # Masks of one head.
        mask_rows = config.mask_word_bytes // config.width
        m.submodules.mask = mask = RowMemory(
            depth=config.mask_depth, shape=config.mask_word_bits, chunks=mask_rows
        )
        part_bits = (mask_rows - 1).bit_length()
        write(
            mask,
            enable=load[Target.MASK],
            chunks=1 << loader.row[:part_bits] if part_bits else 1,
            address=loader.row >> part_bits,
            data=loader.data.replicate(mask_rows),
        )
        connect(m, attention.mask, mask.read)

        # LayerNorm's outputs: two groups of norm_channels a row.
        m.submodules.activation = activation = RowMemory(
            depth=config.activation_rows, shape=row, chunks=2
        )
        write(
            activation,
            enable=norm.activations.valid,
            chunks=1 << norm.activations.address[0],
            address=norm.activations.address >> 1,
            data=norm.activations.data.as_value().replicate(2),
        )
        read(activation, Target.ACTIVATION, linear.reads.activation)

        # Patches, attention outputs, hidden channels, logits.
        m.submodules.hidden = hidden = RowMemory(depth=config.hidden_rows, shape=row, chunks=chunks)
        load_rows(hidden, Target.HIDDEN)
        write_results(hidden, linear.writes.hidden)
        # Row token * pitch + first of a head's output, two cycles after it was offered.
        m.d.comb += attention.rows.ready.eq(1)
        output = attention.rows.payload
        base = register(m, output.token * head_place.pitch, name="output_base")
        write(
            hidden,
            enable=delay(m, attention.rows.valid, 2, name="output_valid", reset_less=False),
            chunks=-1,
            address=register(m, base + head_place.first, name="output_row"),
            data=delay(m, output.data, 2, name="output_data"),
        )
        read(hidden, Target.HIDDEN, linear.reads.hidden)

        # Residual stream.
        m.submodules.residual = residual = RowMemory(
            depth=config.residual_rows, shape=config.row_bits, chunks=chunks
        )
        load_rows(residual, Target.RESIDUAL)
        write_results(residual, linear.writes.residual)
        by_linear = linear.events.running
        read(
            residual,
            Target.RESIDUAL,
            _Port(
                Mux(by_linear, linear.reads.residual.enable, norm.residual.enable),
                Mux(by_linear, linear.reads.residual.address, norm.residual.address),
            ),
        )
        m.d.comb += [
            linear.reads.residual.data.eq(residual.read.data),
            norm.residual.data.as_value().eq(residual.read.data),
        ]

        # Tables.
        m.d.comb += [
            linear.held.gelu.enable.eq(load[Target.GELU]),
            linear.held.gelu.address.eq(loader.row),
            linear.held.gelu.data.eq(loader.data),
            norm.shifts.valid.eq(load[Target.CHANNEL_SHIFT]),
            norm.shifts.address.eq(loader.row),
        ]
        for channel in range(config.norm_channels):
            m.d.comb += norm.shifts.data[channel].eq(loader.data.word_select(channel, 8))

        sum_row_bits = (config.importance_word_rows - 1).bit_length()
        m.d.comb += [
            operands.attention.argument.row.eq(query.read.data),
            operands.attention.argument.vectors.eq(banks.data),
            linear.reads.activation.data.eq(activation.read.data),
            linear.reads.hidden.data.eq(hidden.read.data),
            attention.query.data.eq(query.read.data),
            attention.sort.enable.eq(topk.sort.enable | store[Target.IMPORTANCE]),
            attention.sort.address.eq(
                Mux(store[Target.IMPORTANCE], storer.row >> sum_row_bits, topk.sort.address)
            ),
        ]

        # What the storer reads: registers behind parts of one wide multiplexer. A word of sums may
        # take several rows.
        zeros = Const(0, numerics.STORED_IMPORTANCE_BITS - config.importance_bits)
        sum_rows = Signal(ArrayLayout(config.row_bits, config.importance_word_rows))
        m.d.comb += sum_rows.as_value().eq(
            Cat(Cat(attention.sort.data[lane], zeros) for lane in range(config.lanes))
        )
        live_rows = Signal(ArrayLayout(config.row_bits, transfers(config)[Target.LIVE].rows))
        m.d.comb += live_rows.as_value().eq(live.live)
        memories = {
            Target.QUERY: query.read.data.as_value(),
            Target.ACTIVATION: activation.read.data.as_value(),
            Target.HIDDEN: hidden.read.data.as_value(),
            Target.RESIDUAL: residual.read.data,
        }
        tokens = {
            Target.IMPORTANCE: _element(sum_rows, storer.row),
            Target.LIVE: _element(live_rows, storer.row),
        }
        stored_lane = register(m, storer.row[:lane_bits], name="stored_lane")
        reads_bank = register(m, storer.target.matches(Target.KEY, Target.VALUE), name="reads_bank")
        parts = [
            [
                (register(m, storer.target == t, name=f"reads_{t.name.lower()}"), value)
                for t, value in group.items()
            ]
            for group in (memories, tokens)
        ] + [
            [
                (reads_bank & (stored_lane == lane), banks.data[lane].as_value())
                for lane in range(config.lanes)
            ]
        ]
        m.d.comb += storer.data.eq(
            reduce(
                or_,
                (
                    register(
                        m,
                        reduce(or_, (Mux(chosen, value, 0) for chosen, value in part)),
                        name=f"stored_part_{index}",
                    )
                    for index, part in enumerate(parts)
                ),
            )
        )


def _element(array, index):
    """The element of an array that the low bits of `index` choose."""
    bits = (array.shape().length - 1).bit_length()
    return array[index[:bits]] if bits else array[0]


class _Port:
    """Enable and address of a read, wherever they come from."""

    def __init__(self, enable, address):
        self.enable, self.address = enable, address
