"""Tile walker: the loop nest of a linear layer over output groups, input slices and live tokens.

    for group in tiles: for slice in slices: for position in tokens      (the innermost a *pass*)

Every step looks up the token at `position` of the live list and reads row token * slices + slice of
the source memory. A pass takes max(tokens, MIN_PASS) cycles: short ones are filled with idle steps,
so that what a pass writes about a token (accumulator, norm statistics) has settled before the next
reads it.

The first step of a pass waits at the end of the pipeline until the pass's weights are there; the
whole pipeline freezes then. `step` is in the cycle after the row operand's memory latch, i.e. when
the operand registers hold the row: LATENCY cycles after the step's counters.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.pruning.live_tokens import LiveTokens, token_read_signature


def step_layout(config: AcceleratorConfig) -> StructLayout:
    """One token's slice at the array; `row` is where its results go, without the tile's part."""
    return StructLayout(
        {
            "valid": 1,
            "pass_start": 1,
            "first_slice": 1,
            "last_slice": 1,
            "position": unsigned(config.token_bits),
            "tile": unsigned(config.tile_bits),
            "token": unsigned(config.token_bits),
            "row": unsigned(destination_bits(config)),
        }
    )


def destination_bits(config: AcceleratorConfig) -> int:
    """Address of a row in any memory that a linear layer writes."""
    return (config.hidden_rows - 1).bit_length()


class TileWalker(wiring.Component):
    """
    Attributes
    ----------
    start, tokens, tiles, slices, pitch : begins a walk; only while not `busy`
    busy : steps still enter the pipeline or are in it
    list : read port of the live-token list
    source_enable, source_address : read port of the source memory (latency 1)
    weights_full : the next pass's weights are there
    take, take_group : the first step of a pass (of a group) moves on: copy its weights (parameters)
    stalled : a pass waits for its weights
    step : what the operand registers hold, one cycle after the source memory latched it
    """

    MIN_PASS = 8
    LATENCY = LiveTokens.READ_LATENCY + 4

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "tokens": In(config.count_bits),
                "tiles": In(config.tile_bits),
                "slices": In(config.slice_bits),
                "pitch": In(config.slice_bits),
                "busy": Out(1),
                "list": Out(token_read_signature(config)),
                "source_enable": Out(1),
                "source_address": Out(destination_bits(config)),
                "weights_full": In(1),
                "take": Out(1),
                "take_group": Out(1),
                "stalled": Out(1),
                "step": Out(step_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        tile, slice_ = Signal(config.tile_bits), Signal(config.slice_bits)
        position = Signal(config.count_bits + 1)
        last_position, last_tile = Signal.like(position), Signal(config.tile_bits)
        slices, last_slice = Signal(config.slice_bits), Signal(config.slice_bits)
        tokens, pitch = Signal(config.count_bits), Signal(config.slice_bits)
        walking, advance = Signal(), Signal()

        # Counters.
        pass_end = position == last_position
        slice_end = slice_ == last_slice
        tile_end = tile == last_tile
        with m.If(self.start):
            m.d.sync += [
                walking.eq(1),
                tile.eq(0),
                slice_.eq(0),
                position.eq(0),
                tokens.eq(self.tokens),
                last_position.eq(Mux(self.tokens < self.MIN_PASS, self.MIN_PASS, self.tokens) - 1),
                last_tile.eq(self.tiles - 1),
                slices.eq(self.slices),
                last_slice.eq(self.slices - 1),
                pitch.eq(self.pitch),
            ]
        with m.Elif(walking & advance):
            m.d.sync += position.eq(Mux(pass_end, 0, position + 1))
            with m.If(pass_end):
                m.d.sync += slice_.eq(Mux(slice_end, 0, slice_ + 1))
                with m.If(slice_end):
                    m.d.sync += tile.eq(tile + 1)
                    with m.If(tile_end):
                        m.d.sync += walking.eq(0)

        entering = StructLayout(
            {
                "active": 1,
                "valid": 1,
                "pass_start": 1,
                "first_slice": 1,
                "last_slice": 1,
                "position": unsigned(config.token_bits),
                "tile": unsigned(config.tile_bits),
                "slice": unsigned(config.slice_bits),
            }
        )
        stages = [Signal(entering, name="stage_0")]
        m.d.comb += [
            stages[0].active.eq(walking),
            stages[0].valid.eq(walking & (position < tokens)),
            stages[0].pass_start.eq(position == 0),
            stages[0].first_slice.eq(slice_ == 0),
            stages[0].last_slice.eq(slice_end),
            stages[0].position.eq(position),
            stages[0].tile.eq(tile),
            stages[0].slice.eq(slice_),
            self.list.enable.eq(advance),
            self.list.position.eq(position),
        ]
        for index in range(1, self.LATENCY):
            stage = Signal(entering, name=f"stage_{index}")
            with m.If(advance):
                m.d.sync += stage.eq(stages[-1])
            stages.append(stage)

        # Token to addresses: two products, then the slice's row; then the source memory's latch.
        token_stage = LiveTokens.READ_LATENCY
        source_base = Signal(destination_bits(config), reset_less=True)
        row_base = Signal(destination_bits(config), reset_less=True)
        multiplied_token = Signal(config.token_bits, reset_less=True)
        addressed_token = Signal.like(multiplied_token)
        addressed_row = Signal.like(row_base)
        latched_token = Signal.like(multiplied_token)
        latched_row = Signal.like(row_base)
        with m.If(advance):
            m.d.sync += [
                source_base.eq(self.list.token * slices),
                row_base.eq(self.list.token * pitch),
                multiplied_token.eq(self.list.token),
                self.source_address.eq(source_base + stages[token_stage + 1].slice),
                addressed_row.eq(row_base),
                addressed_token.eq(multiplied_token),
                latched_row.eq(addressed_row),
                latched_token.eq(addressed_token),
            ]
        m.d.comb += self.source_enable.eq(advance)

        latched = stages[token_stage + 3]
        waits = latched.active & latched.pass_start
        m.d.comb += [
            advance.eq(~waits | self.weights_full),
            self.take.eq(waits & self.weights_full),
            self.stalled.eq(waits & ~self.weights_full),
            self.take_group.eq(self.take & latched.first_slice),
            self.busy.eq(walking | any_active(stages)),
        ]
        m.d.sync += [
            self.step.valid.eq(latched.valid & advance),
            self.step.pass_start.eq(self.take),
            self.step.first_slice.eq(latched.first_slice),
            self.step.last_slice.eq(latched.last_slice),
            self.step.position.eq(latched.position),
            self.step.tile.eq(latched.tile),
            self.step.token.eq(latched_token),
            self.step.row.eq(latched_row),
        ]
        return m


def any_active(stages):
    """Whether any stage of the pipeline holds a step."""
    result = stages[0].active
    for stage in stages[1:]:
        result = result | stage.active
    return result
