"""Weight buffer: collects the next tile of a linear layer while the array uses the current one.

The payload of a layer is, for every group of `lanes` output channels: the group's channel
parameters (`parameter_rows` rows), then for every slice of `width` inputs `lanes` rows, row l the
weights of output channel l. Rows are accepted at one a cycle until a tile is complete; when it is
taken, the first row of the next may arrive in that same cycle. So a tile every `lanes` cycles (and
the parameter rows) is sustained.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import data_register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import payload_port
from rtl_gen.interfaces.layouts import vectors_layout
from rtl_gen.linear.command import LINEAR

PARAMETER_BYTES = 8
"""Bytes of one output channel's parameters in the payload."""


def channel_layout() -> StructLayout:
    """Parameters of one output channel, PARAMETER_BYTES long in the payload."""
    return StructLayout(
        {
            "bias": signed(numerics.ACCUMULATOR_BITS),
            "multiplier": unsigned(numerics.MULTIPLIER_BITS),
            "shift": unsigned(8),
            "reserved": unsigned(8),
        }
    )


def parameters_layout(config: AcceleratorConfig) -> ArrayLayout:
    """Parameters of a group: an output channel a lane."""
    return ArrayLayout(channel_layout(), config.lanes)


def parameter_rows(config: AcceleratorConfig) -> int:
    """Rows of the payload that hold the parameters of a group."""
    return -(-PARAMETER_BYTES * config.lanes // config.width)


def tile_layout(config: AcceleratorConfig) -> StructLayout:
    """Weights of a group for a slice, a lane an output channel, and the group's parameters."""
    return StructLayout(
        {"weights": vectors_layout(config), "parameters": parameters_layout(config)}
    )


class WeightBuffer(wiring.Component):
    """
    Attributes
    ----------
    layer : in, the layer whose payload comes next; taken when all rows of the one before have come
    payload : in, its rows
    tile : out, complete tiles
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "layer": In(LINEAR.signature(config)),
                "payload": In(payload_port(config)),
                "tile": Out(stream.Signature(tile_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        feeding, rows, tile = self.payload.feeding, self.payload.rows, self.tile
        accept, in_header = Signal(), Signal()
        m.d.comb += [
            self.layer.ready.eq(~feeding),
            self.payload.expects.eq(feeding),
            rows.ready.eq(feeding & (~tile.valid | tile.ready)),
            accept.eq(rows.valid & rows.ready),
        ]
        require(m, ~accept | feeding, "weight buffer: a row without a layer")
        require(m, ~accept | ~tile.valid | tile.ready, "weight buffer: a row into a full tile")
        with m.If(tile.valid & tile.ready):
            m.d.sync += tile.valid.eq(0)
        last_row = self._count_rows(m, accept, in_header)
        self._count_tiles(m, last_row, in_header)
        return m

    def _count_rows(self, m: Module, accept: Signal, in_header: Signal) -> Signal:
        """Puts a row where it belongs; returns whether it completes a tile."""
        config, header_rows, rows = self._config, parameter_rows(self._config), self.payload.rows
        row = Signal(range(max(header_rows, config.lanes)))
        header = Signal(header_rows * config.row_bits, reset_less=True)
        weights = data_register(m, self.tile.payload.weights, name="weights")
        parameters = self.tile.payload.parameters.as_value()
        last_row = Signal()
        m.d.comb += [
            parameters.eq(header[: len(parameters)]),
            last_row.eq(accept & ~in_header & (row == config.lanes - 1)),
        ]
        with m.If(self.layer.valid & self.layer.ready):
            m.d.sync += row.eq(0)
        with m.Elif(accept & in_header):
            m.d.sync += [
                header.eq(Cat(header, rows.payload)[config.row_bits :]),
                row.eq(Mux(row == header_rows - 1, 0, row + 1)),
            ]
            with m.If(row == header_rows - 1):
                m.d.sync += in_header.eq(0)
        with m.Elif(accept):
            for lane in range(config.lanes):
                with m.If(row == lane):
                    m.d.sync += weights[lane].eq(rows.payload)
            m.d.sync += row.eq(Mux(last_row, 0, row + 1))
        return last_row

    def _count_tiles(self, m: Module, last_row: Signal, in_header: Signal) -> None:
        """Slices of a group and groups of the layer; a header comes before each group."""
        config = self._config
        tiles_left = Signal(config.tile_bits)
        slices, slices_left = Signal(config.slice_bits), Signal(config.slice_bits)
        last_slice = slices_left == 1
        with m.If(self.layer.valid & self.layer.ready):
            m.d.sync += [
                tiles_left.eq(self.layer.payload.tiles),
                slices.eq(self.layer.payload.slices),
                slices_left.eq(self.layer.payload.slices),
                self.payload.feeding.eq(1),
                in_header.eq(1),
            ]
        with m.Elif(last_row):
            m.d.sync += [
                self.tile.valid.eq(1),
                slices_left.eq(Mux(last_slice, slices, slices_left - 1)),
            ]
            with m.If(last_slice):
                m.d.sync += [
                    in_header.eq(1),
                    tiles_left.eq(tiles_left - 1),
                    self.payload.feeding.eq(tiles_left != 1),
                ]
