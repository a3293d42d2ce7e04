"""Output unit: accumulates a PV row (SpMM), normalises and requantises it, queues it for writing.

Column sums of PV beats arrive one a cycle. After a row's last beat its `width` accumulators leave
`output_columns` a cycle through one requantiser, whose factor holds the row's normalisation. The
last beats of two rows must be at least width / output_columns cycles apart, and at most OUTPUT_ROWS
rows under way or queued (RowInterleaver sees to both).
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from rtl_gen.attention.normalisation import normalised_row_layout
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.requantize import Requantizer
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import columns_layout, row_layout
from rtl_gen.interfaces.memories import OUTPUT_ROWS
from rtl_gen.interfaces.ports import always
from rtl_gen.memory.parity import guard_of


def output_row_layout(config: AcceleratorConfig) -> StructLayout:
    """A token's int8 output of one head."""
    return StructLayout({"token": unsigned(config.token_bits), "data": row_layout(config)})


def column_beat_layout(config: AcceleratorConfig) -> StructLayout:
    """Column sums of one PV beat; `row` counts with the last one of a row."""
    return StructLayout(
        {
            "first": 1,
            "last": 1,
            "row": normalised_row_layout(config),
            "columns": columns_layout(config),
        }
    )


class OutputUnit(wiring.Component):
    """
    Attributes
    ----------
    beats : in, column sums, always taken
    rows : out, finished rows

    `rows.valid` follows a row's last beat by `latency`.
    """

    QUEUE_LATENCY = 2
    """From the write into the queue to the row at its output."""

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "beats": In(always(column_beat_layout(config))),
                "rows": Out(stream.Signature(output_row_layout(config))),
            }
        )

    @classmethod
    def latency(cls, config: AcceleratorConfig) -> int:
        """Accumulate, hold, requantise all groups, collect, queue."""
        groups = config.width // config.output_columns
        return 2 + (groups - 1) + Requantizer.LATENCY + 1 + cls.QUEUE_LATENCY

    def elaborate(self, platform):
        m = Module()
        config = self._config
        columns = config.output_columns
        groups = config.width // columns

        beat = self.beats.payload
        sums = Signal(ArrayLayout(signed(config.pv_bits), config.width), reset_less=True)
        for channel in range(config.width):
            with m.If(self.beats.valid):
                m.d.sync += sums[channel].eq(
                    Mux(beat.first, 0, sums[channel]) + beat.columns[channel]
                )
        complete = register(m, self.beats.valid & beat.last, name="complete", reset_less=False)
        complete_row = register(m, beat.row, name="complete_row")

        # `held` shifts out `output_columns` columns a cycle.
        held = Signal(len(sums.as_value()), reset_less=True)
        held_row = Signal(normalised_row_layout(config), reset_less=True)
        left = Signal(range(groups + 1))
        with m.If(complete):
            m.d.sync += [held.eq(sums), held_row.eq(complete_row), left.eq(groups)]
        with m.Elif(left != 0):
            m.d.sync += [held.eq(held >> (columns * config.pv_bits)), left.eq(left - 1)]

        m.submodules.requantizer = requantizer = Requantizer(
            elements=columns, input_bits=config.pv_bits, output_bits=8
        )
        m.d.comb += [
            requantizer.call.argument.values.as_value().eq(held),
            requantizer.call.argument.scale.multiplier.eq(held_row.multiplier),
            requantizer.call.argument.scale.shift.eq(held_row.shift),
        ]
        latency = Requantizer.LATENCY
        collect = delay(m, left != 0, latency, name="collect", reset_less=False)
        collected_last = delay(m, left == 1, latency + 1, name="collected_last", reset_less=False)
        token = delay(m, held_row.token, latency + 1, name="token")
        collected = Signal(config.row_bits, reset_less=True)
        with m.If(collect):
            m.d.sync += collected.eq(Cat(collected, requantizer.call.result)[8 * columns :])

        guard, row = guard_of(platform), self.rows.payload.as_value()
        m.submodules.queue = queue = SyncFIFOBuffered(
            width=len(row) + guard.bits(), depth=OUTPUT_ROWS
        )
        guard.watch(m, queue.r_data, queue.r_rdy & queue.r_en)
        require(m, ~complete | (left <= 1), "output unit: a row comes too early")
        require(m, ~collected_last | queue.w_rdy, "output unit: more rows than places")
        m.d.comb += [
            queue.w_en.eq(collected_last),
            queue.w_data.eq(guard.stored(Cat(token, collected))),
            self.rows.valid.eq(queue.r_rdy),
            row.eq(guard.data(queue.r_data)),
            queue.r_en.eq(self.rows.ready),
        ]
        return m
