"""Linear layer engine: weights in, a token's slices through the array, finished channels out.

    rows of payload -> WeightBuffer -> vectors of the array
    live list, source memory -> TileWalker -> row of the array
    dots -> accumulator memory (int32 a lane and token) -> requantise by channel -> destination

A group of `lanes` output channels of a token is finished in the pass of its last slice and leaves
through a pipeline of fixed latency. Destinations:

* QKV: int8 into the query memory or the K/V banks of the current head, groups in the order q, k, v
* HIDDEN: int8 through the GELU table into the hidden memory
* LOGITS: int16 into the hidden memory
* RESIDUAL: int16, added to the residual memory (saturating), beside it the statistics of the next
  norm

Seen from the cycle in which the array's operand registers hold a token's slice (`step`):

    + dot latency          dot products; accumulator read from memory
    + 1                    accumulated
    + Requantizer.LATENCY  16-bit results; residual row read
    + STORE_CYCLES         written

The command of the next layer is accepted while one runs, so that its first tile loads behind it; it
starts when `go` is high and this engine has drained.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout, View
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from rtl_gen import numerics
from rtl_gen.array.mac_array import MacArray
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.requantize import Requantizer
from rtl_gen.common.saturate import saturate
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, Reach
from rtl_gen.interfaces.layouts import dots_layout, row_layout
from rtl_gen.interfaces.program import Destination, ErrorCode, Source
from rtl_gen.linear.tile_walker import TileWalker, destination_bits
from rtl_gen.linear.weight_buffer import WeightBuffer, channel_layout
from rtl_gen.memory.row_memory import read_signature
from rtl_gen.norm.norm_statistics import NormStatistics
from rtl_gen.pruning.live_tokens import token_read_signature


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    illegal = (
        (command.slices == 0)
        | (command.slices > config.hidden_dim // config.width)
        | (command.tiles == 0)
        | (command.tiles > config.hidden_dim // config.lanes)
        | ((command.destination == Destination.QKV) & (command.tiles > 3 * config.chunks))
    )
    return {ErrorCode.ILLEGAL_FIELD: illegal}


def _reaches(config: AcceleratorConfig, command: View) -> tuple[Reach, Reach]:
    """It reads rows token * slices + 0 .. slices - 1 of its source and writes token * pitch + 0 ..
    rows of its tiles of its destination, none of them for QKV.
    """
    to, part_bits = command.destination, exact_log2(config.chunks)
    last_tile = (command.tiles - 1)[: len(command.tiles)]
    wide = to.matches(Destination.LOGITS, Destination.RESIDUAL)
    return (
        Reach(
            kind="read",
            pitch="slices",
            offset=(command.slices - 1)[: len(command.slices)],
            limit=Mux(
                command.source == Source.HIDDEN, config.hidden_rows - 1, config.activation_rows - 1
            ),
            first_only=command.only_cls,
        ),
        Reach(
            kind="written",
            pitch="pitch",
            offset=Mux(wide, last_tile >> part_bits - 1, last_tile >> part_bits),
            limit=Mux(to == Destination.RESIDUAL, config.residual_rows - 1, config.hidden_rows - 1),
            first_only=command.only_cls,
            applies=to != Destination.QKV,
        ),
    )


LINEAR = Command(
    name="LINEAR",
    does="a linear layer over the live tokens, or the first of them alone (`only_cls`): `slices` "
    "rows of a source token, `tiles` groups of outputs, `pitch` rows of a destination token",
    fields=("source", "destination", "only_cls", "slices", "tiles", "pitch"),
    unit="linear",
    payload=True,
    needs_tokens=True,
    waits=lambda _config, _command: Const(0, 1),
    errors=_errors,
    reaches=_reaches,
)


def linear_layout(config: AcceleratorConfig) -> StructLayout:
    """A layer: `slices` rows of a source token, `tiles` groups of outputs, `pitch` rows of a
    destination token.

    `only_cls` works on the first live token alone.
    """
    return StructLayout(
        {
            "source": Source,
            "destination": Destination,
            "only_cls": 1,
            "slices": unsigned(config.slice_bits),
            "tiles": unsigned(config.tile_bits),
            "pitch": unsigned(config.slice_bits),
        }
    )


def result_layout(config: AcceleratorConfig) -> StructLayout:
    """`lanes` finished channels of a token: bytes to write into parts of a row."""
    return StructLayout(
        {
            "destination": Destination,
            "token": unsigned(config.token_bits),
            "row": unsigned(destination_bits(config)),
            "qkv": unsigned(2),
            "chunks": unsigned(config.chunks),
            "data": unsigned(config.row_bits),
            "values": ArrayLayout(signed(numerics.RESIDUAL_BITS), config.lanes),
            "first": 1,
        }
    )


class LinearEngine(wiring.Component):
    """
    Attributes
    ----------
    command : a layer
    go : every other unit is idle: a waiting layer may start
    feeding, rows : the layer's payload
    gelu_write, gelu_address, gelu_data : fills the table, entry h + 128 for input h
    count, list : the live tokens
    source, source_enable, source_address : which memory gives the row operand, and its read port
    weights, take : the vector operands, to be copied when `take` is high
    running : the array works for this engine
    dots : the array's lane sums
    residual : read port of the residual memory
    result_valid, result : what to write; `values` of RESIDUAL also go to the norm statistics
    idle : nothing under way and nothing waiting
    beat : the array takes a step in this cycle
    stalled : a pass waits for its weights in this cycle
    """

    STORE_CYCLES = 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(linear_layout(config))),
                "go": In(1),
                "feeding": Out(1),
                "rows": In(stream.Signature(unsigned(config.row_bits))),
                "gelu_write": In(1),
                "gelu_address": In(8),
                "gelu_data": In(8),
                "count": In(config.count_bits),
                "list": Out(token_read_signature(config)),
                "source": Out(Source),
                "source_enable": Out(1),
                "source_address": Out(destination_bits(config)),
                "weights": Out(ArrayLayout(row_layout(config), config.lanes)),
                "take": Out(1),
                "running": Out(1),
                "dots": In(dots_layout(config)),
                "residual": Out(read_signature(config.residual_rows, config.row_bits)),
                "result_valid": Out(1),
                "result": Out(result_layout(config)),
                "idle": Out(1),
                "beat": Out(1),
                "stalled": Out(1),
            }
        )

    @classmethod
    def drain_cycles(cls, config: AcceleratorConfig) -> int:
        """From a step at the operand registers to its results and statistics in memory."""
        to_store = MacArray.dot_latency(config) + 1 + Requantizer.LATENCY + cls.STORE_CYCLES
        return to_store + NormStatistics.latency(config)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.buffer = buffer = WeightBuffer(config)
        m.submodules.walker = walker = TileWalker(config)

        # One layer runs, the next may wait with its first tile loading.
        waiting = Signal()
        layer, running = Signal(linear_layout(config)), Signal(linear_layout(config))
        draining = Signal(range(self.drain_cycles(config) + 1))
        command = self.command.payload
        accept = self.command.valid & self.command.ready
        start = Signal()
        m.d.comb += [
            self.idle.eq(~waiting & ~self.running),
            self.command.ready.eq(~waiting & ~buffer.feeding),
            buffer.start.eq(accept),
            buffer.tiles.eq(command.tiles),
            buffer.slices.eq(command.slices),
            self.feeding.eq(buffer.feeding),
            start.eq(waiting & ~self.running & self.go),
            walker.start.eq(start),
            walker.tokens.eq(Mux(layer.only_cls, 1, self.count)),
            walker.tiles.eq(layer.tiles),
            walker.slices.eq(layer.slices),
            walker.pitch.eq(layer.pitch),
            walker.weights_full.eq(buffer.full),
            buffer.take.eq(walker.take),
            self.take.eq(walker.take),
            self.weights.eq(buffer.weights),
            self.source.eq(running.source),
            self.source_enable.eq(walker.source_enable),
            self.source_address.eq(walker.source_address),
            self.beat.eq(walker.step.valid),
            self.stalled.eq(walker.stalled),
        ]
        connect(m, flipped(self.rows), buffer.rows)
        connect(m, walker.list, flipped(self.list))
        with m.If(accept):
            m.d.sync += [waiting.eq(1), layer.eq(command)]
        with m.If(start):
            m.d.sync += [waiting.eq(0), running.eq(layer), self.running.eq(1)]
        with m.Elif(~walker.busy & ~walker.step.valid & (draining <= 1)):
            m.d.sync += self.running.eq(0)
        with m.If(walker.step.valid):
            m.d.sync += draining.eq(self.drain_cycles(config))
        with m.Elif(draining != 0):
            m.d.sync += draining.eq(draining - 1)

        # Stages, in cycles after the operand registers.
        step = walker.step
        dots_at = MacArray.dot_latency(config)
        total_at = dots_at + 1
        result_at = total_at + Requantizer.LATENCY
        store_at = result_at + self.STORE_CYCLES
        steps = [step]
        valid = [step.valid]
        for stage in range(1, total_at + 1):
            steps.append(register(m, steps[-1], name=f"step_{stage}"))
            valid.append(register(m, valid[-1], name=f"valid_{stage}", reset_less=False))

        # A group's parameters follow its first step: its bias is needed in the first slice, its
        # factors in the last.
        parameters = ArrayLayout(channel_layout(), config.lanes)
        resident = Signal(parameters, reset_less=True)
        accumulating = Signal(parameters, reset_less=True)
        requantising = Signal(parameters, reset_less=True)
        with m.If(walker.take_group):
            m.d.sync += resident.eq(buffer.parameters)
        with m.If(steps[dots_at - 1].pass_start & steps[dots_at - 1].first_slice):
            m.d.sync += accumulating.eq(resident)
        with m.If(steps[dots_at].pass_start & steps[dots_at].last_slice):
            m.d.sync += requantising.eq(accumulating)

        # Accumulate, then requantise what is complete.
        totals = ArrayLayout(signed(numerics.ACCUMULATOR_BITS), config.lanes)
        m.submodules.accumulators = accumulators = Memory(
            shape=totals, depth=config.max_tokens, init=[]
        )
        read, write = accumulators.read_port(), accumulators.write_port()
        stored = register(m, read.data, name="stored")
        total = Signal(totals, reset_less=True)
        results = []
        for lane in range(config.lanes):
            begin = Mux(steps[dots_at].first_slice, accumulating[lane].bias, stored[lane])
            m.d.sync += total[lane].eq(begin + self.dots[lane])
            requantizer = Requantizer(
                elements=1,
                input_bits=numerics.ACCUMULATOR_BITS,
                output_bits=numerics.RESIDUAL_BITS,
            )
            m.submodules[f"requantizer_{lane}"] = requantizer
            m.d.comb += [
                requantizer.call.argument.values[0].eq(total[lane]),
                requantizer.call.argument.scale.multiplier.eq(requantising[lane].multiplier),
                requantizer.call.argument.scale.shift.eq(requantising[lane].shift),
            ]
            results.append(requantizer.call.result[0])
        complete = valid[total_at] & steps[total_at].last_slice
        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(steps[dots_at - 2].position),
            write.en.eq(valid[total_at] & ~steps[total_at].last_slice),
            write.addr.eq(steps[total_at].position),
            write.data.eq(total),
            self.result_valid.eq(
                delay(m, complete, store_at - total_at, name="complete", reset_less=False)
            ),
        ]

        # Where it goes: the row of the destination, and the part of the row.
        int8_part = (config.chunks - 1).bit_length()
        int16_part = int8_part - 1
        wide = running.destination.matches(Destination.LOGITS, Destination.RESIDUAL)
        tile = steps[1].tile
        place = Signal(
            StructLayout(
                {
                    "token": unsigned(config.token_bits),
                    "row": unsigned(destination_bits(config)),
                    "tile": unsigned(config.tile_bits),
                }
            ),
            name="place",
            reset_less=True,
        )
        m.d.sync += [
            place.token.eq(steps[1].token),
            place.tile.eq(tile),
            place.row.eq(steps[1].row + Mux(wide, tile >> int16_part, tile >> int8_part)),
        ]
        to_residual = delay(m, place, result_at - 4, name="place_read")
        at_result = delay(m, to_residual, 2, name="place_result")
        at_store = delay(m, at_result, self.STORE_CYCLES, name="place_store")

        # Residual: old row, its part, the sum.
        m.d.comb += [
            self.residual.enable.eq(1),
            self.residual.address.eq(to_residual.row),
        ]
        residual_row = register(m, self.residual.data, name="residual_row")
        part_bits = numerics.RESIDUAL_BITS * config.lanes
        part = Signal(ArrayLayout(signed(numerics.RESIDUAL_BITS), config.lanes), reset_less=True)
        m.d.sync += part.as_value().eq(
            residual_row.word_select(at_result.tile[:int16_part], part_bits)
        )

        result = self.result
        bytes_ = Signal(ArrayLayout(8, config.lanes))
        for lane, value in enumerate(results):
            narrow = Signal(signed(8), name=f"narrow_{lane}")
            m.d.comb += narrow.eq(saturate(value, 8))
            m.submodules[f"gelu_{lane}"] = table = Memory(
                shape=8, depth=numerics.GELU_ENTRIES, init=[]
            )
            look_up, fill = table.read_port(), table.write_port()
            m.d.comb += [
                look_up.en.eq(1),
                look_up.addr.eq(Cat(narrow[:7], ~narrow[7])),
                fill.en.eq(self.gelu_write),
                fill.addr.eq(self.gelu_address),
                fill.data.eq(self.gelu_data),
            ]
            activated = register(m, look_up.data, name=f"activated_{lane}")
            late = register(m, value, name=f"late_{lane}")
            added = Signal(signed(numerics.RESIDUAL_BITS), name=f"added_{lane}", reset_less=True)
            m.d.sync += added.eq(saturate(late + part[lane], numerics.RESIDUAL_BITS))
            latest = register(m, late, name=f"latest_{lane}")
            late_narrow = delay(m, narrow, self.STORE_CYCLES, name=f"late_narrow_{lane}")
            m.d.comb += [
                bytes_[lane].eq(
                    Mux(running.destination == Destination.HIDDEN, activated, late_narrow)
                ),
                result.values[lane].eq(
                    Mux(running.destination == Destination.RESIDUAL, added, latest)
                ),
            ]
        tile = at_store.tile
        with m.If(wide):
            m.d.comb += [
                result.data.eq(result.values.as_value().replicate(config.chunks // 2)),
                result.chunks.eq(0b11 << Cat(Const(0, 1), tile[:int16_part])),
            ]
        with m.Else():
            m.d.comb += [
                result.data.eq(bytes_.as_value().replicate(config.chunks)),
                result.chunks.eq(1 << tile[:int8_part]),
            ]
        m.d.comb += [
            result.destination.eq(running.destination),
            result.token.eq(at_store.token),
            result.row.eq(at_store.row),
            result.qkv.eq(tile >> int8_part),
            result.first.eq(tile == 0),
        ]
        return m
