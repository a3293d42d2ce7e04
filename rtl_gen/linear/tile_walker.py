"""Tile walker: the loop nest of a linear layer over output groups, input slices and live tokens.

    for group in tiles: for slice in slices: for position in tokens      (the innermost a *pass*)

The weights of a pass stay in the array (weight-stationary) while the tokens stream through it.
Every step looks up the token at `position` of the live list and reads row token * slices + slice of
the source memory. A pass takes max(tokens, MIN_PASS) cycles: short ones are filled with idle steps,
so that what a pass writes about a token (accumulator, residual row, norm statistics) has settled
before the next reads it.

The first step of a pass waits at the end of the pipeline until the pass's weights are there; the
whole pipeline freezes then. A step leaves when the operand registers hold its row, LATENCY cycles
after its counters: the live list, a product, a sum, the source memory's latch, the operand.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import In, Out

from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import data_register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import LIST_LATENCY, memory_plan, words
from rtl_gen.interfaces.ports import always
from rtl_gen.linear.command import LINEAR


def row_address_bits(config: AcceleratorConfig) -> int:
    """Address of a row in any memory that a linear layer reads or writes."""
    return (words(config, "hidden") - 1).bit_length()


def step_layout(config: AcceleratorConfig) -> StructLayout:
    """One token's slice at the array; `row` is where its results go, without the tile's part."""
    return StructLayout(
        {
            "pass_start": 1,
            "first_slice": 1,
            "last_slice": 1,
            "position": unsigned(config.token_bits),
            "tile": unsigned(config.tile_bits),
            "token": unsigned(config.token_bits),
            "row": unsigned(row_address_bits(config)),
        }
    )


_FLAGS = StructLayout({"active": 1, "valid": 1})
"""A step is on its way; one that is not valid fills a short pass."""


def _stage_layout(config: AcceleratorConfig) -> StructLayout:
    """A step on its way."""
    return StructLayout(
        {
            "pass_start": 1,
            "first_slice": 1,
            "last_slice": 1,
            "position": unsigned(config.token_bits),
            "tile": unsigned(config.tile_bits),
            "slice": unsigned(config.slice_bits),
        }
    )


class TileWalker(wiring.Component):
    """
    Attributes
    ----------
    layer : in, the layer to walk; ready while no step is under way
    count : in, number of live tokens, constant during a walk
    live_list : out, read port of the live-token list
    rows : out, the row of the source memory that is read in this cycle
    weights : in, valid when the next pass's weights are there; its first step takes them
    steps : out, what the operand registers hold, one cycle after the source memory latched it
    """

    MIN_PASS = 8
    LATENCY = LIST_LATENCY + 4

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "layer": In(LINEAR.signature(config)),
                "count": In(config.count_bits),
                "live_list": Out(memory_plan(config)["live_list"].read_signature()),
                "rows": Out(always(unsigned(row_address_bits(config)))),
                "weights": In(stream.Signature(unsigned(0))),
                "steps": Out(always(step_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        busy, advance, start = Signal(), Signal(), Signal()
        first_flags, first = self._count(m, start, advance)
        flags, stages = [first_flags], [first]
        for index in range(1, self.LATENCY):
            flags.append(Signal(_FLAGS, name=f"flags_{index}"))
            stages.append(Signal(first.shape(), name=f"stage_{index}", reset_less=True))
            with m.If(advance):
                m.d.sync += [flags[-1].eq(flags[-2]), stages[-1].eq(stages[-2])]
        m.d.sync += busy.eq(start | Cat(flag.active for flag in flags).any())
        m.d.comb += [
            self.layer.ready.eq(~busy),
            start.eq(self.layer.valid & self.layer.ready),
            self.live_list.enable.eq(busy & advance),
            self.live_list.address.eq(stages[0].position),
            self.rows.valid.eq(busy & advance),
        ]
        found = self._look_up(m, start, advance, stages[LIST_LATENCY + 1].slice)
        self._leave(m, advance, flags[-1], stages[-1], found)
        return m

    def _count(self, m: Module, start: Signal, advance: Signal) -> tuple[View, View]:
        """The loop nest; returns flags and step of the first stage of the pipeline."""
        config, layer = self._config, self.layer.payload
        tile, slice_ = Signal(config.tile_bits), Signal(config.slice_bits)
        position, tokens = Signal(config.count_bits + 1), Signal(config.count_bits)
        last_position, last_tile = Signal.like(position), Signal.like(tile)
        last_slice, walking, begin = Signal.like(slice_), Signal(), Signal(config.count_bits)
        pass_end, slice_end = position == last_position, slice_ == last_slice
        m.d.comb += begin.eq(Mux(layer.only_cls, 1, self.count))
        with m.If(start):
            m.d.sync += [
                walking.eq(1),
                tile.eq(0),
                slice_.eq(0),
                position.eq(0),
                tokens.eq(begin),
                last_position.eq(Mux(begin < self.MIN_PASS, self.MIN_PASS, begin) - 1),
                last_tile.eq(layer.tiles - 1),
                last_slice.eq(layer.slices - 1),
            ]
        with m.Elif(walking & advance):
            m.d.sync += position.eq(Mux(pass_end, 0, position + 1))
            with m.If(pass_end):
                m.d.sync += slice_.eq(Mux(slice_end, 0, slice_ + 1))
            with m.If(pass_end & slice_end):
                m.d.sync += tile.eq(tile + 1)
            with m.If(pass_end & slice_end & (tile == last_tile)):
                m.d.sync += walking.eq(0)

        flags = Signal(_FLAGS, name="flags_0")
        stage = Signal(_stage_layout(config), name="stage_0")
        m.d.comb += [
            flags.active.eq(walking),
            flags.valid.eq(walking & (position < tokens)),
            stage.pass_start.eq(position == 0),
            stage.first_slice.eq(slice_ == 0),
            stage.last_slice.eq(slice_end),
            stage.position.eq(position),
            stage.tile.eq(tile),
            stage.slice.eq(slice_),
        ]
        return flags, stage

    def _look_up(self, m: Module, start: Signal, advance: Signal, slice_: Value) -> View:
        """From a token of the list to the row of its slice; returns the token and the row of its
        results, beside the source memory's latch. `slice_` is that of the product's step.
        """
        config, layer, token = self._config, self.layer.payload, self.live_list.data
        slices, pitch = Signal(config.slice_bits), Signal(config.slice_bits)
        with m.If(start):
            m.d.sync += [slices.eq(layer.slices), pitch.eq(layer.pitch)]
        row = unsigned(row_address_bits(config))
        found_layout = StructLayout({"token": unsigned(config.token_bits), "row": row})
        first_row = Signal(row, reset_less=True)
        multiplied, added, latched = (
            Signal(found_layout, name=name, reset_less=True)
            for name in ("multiplied", "added", "latched")
        )
        source_row = data_register(m, self.rows.payload, name="source_row")
        with m.If(advance):
            m.d.sync += [
                first_row.eq(token * slices),
                source_row.eq(first_row + slice_),
                multiplied.token.eq(token),
                multiplied.row.eq(token * pitch),
                added.eq(multiplied),
                latched.eq(added),
            ]
        return latched

    def _leave(self, m: Module, advance: Signal, flags: View, last: View, found: View) -> None:
        """Holds the first step of a pass back until its weights are there."""
        begins = flags.active & last.pass_start
        step = data_register(m, self.steps.payload, name="step")
        kept = ("first_slice", "last_slice", "position", "tile")
        m.d.comb += [
            self.weights.ready.eq(begins),
            advance.eq(~begins | self.weights.valid),
        ]
        require(
            m, ~(begins & advance) | self.weights.valid, "tile walker: a pass without its weights"
        )
        m.d.sync += [
            self.steps.valid.eq(flags.valid & advance),
            step.pass_start.eq(begins & advance),
            *(step[name].eq(last[name]) for name in kept),
            step.token.eq(found.token),
            step.row.eq(found.row),
        ]
