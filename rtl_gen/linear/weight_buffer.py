"""Weight buffer: collects the next tile of a linear layer while the array uses the current one.

The payload of a layer is, for every group of `lanes` output channels: the group's channel
parameters (`parameter_rows` rows), then for every slice of `width` inputs `lanes` rows, row l the
weights of output channel l. Rows are accepted at one a cycle until a tile is complete (`full`);
`take` frees the buffer, and the first row of the next tile may arrive in that same cycle. So a tile
every `lanes` cycles (and the parameter rows) is sustained.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import row_layout

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


def parameter_rows(config: AcceleratorConfig) -> int:
    """Rows of the payload that hold the parameters of `lanes` channels."""
    return -(-PARAMETER_BYTES * config.lanes // config.width)


class WeightBuffer(wiring.Component):
    """
    Attributes
    ----------
    start, tiles, slices : expect the payload of a layer; only when not `feeding`
    feeding : payload rows are still expected
    rows : the payload
    full, take : a tile is complete; it is copied in this cycle
    weights, parameters : the tile and its group's parameters (these stay until the next group's)
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "tiles": In(config.tile_bits),
                "slices": In(config.slice_bits),
                "feeding": Out(1),
                "rows": In(stream.Signature(unsigned(config.row_bits))),
                "full": Out(1),
                "take": In(1),
                "weights": Out(ArrayLayout(row_layout(config), config.lanes)),
                "parameters": Out(ArrayLayout(channel_layout(), config.lanes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        parameter_bits = len(self.parameters.as_value())
        header_rows = parameter_rows(config)

        tiles_left, slices, slices_left = (
            Signal(config.tile_bits),
            Signal(config.slice_bits),
            Signal(config.slice_bits),
        )
        row = Signal(range(max(header_rows, config.lanes)))
        in_header = Signal()
        accept = Signal()
        m.d.comb += [
            self.rows.ready.eq(self.feeding & (~self.full | self.take)),
            accept.eq(self.rows.valid & self.rows.ready),
        ]
        header = Signal(header_rows * config.row_bits, reset_less=True)
        m.d.comb += self.parameters.as_value().eq(header[:parameter_bits])

        with m.If(self.take):
            m.d.sync += self.full.eq(0)
        with m.If(self.start):
            m.d.sync += [
                tiles_left.eq(self.tiles),
                slices.eq(self.slices),
                slices_left.eq(self.slices),
                self.feeding.eq(1),
                in_header.eq(1),
                row.eq(0),
            ]
        with m.Elif(accept & in_header):
            m.d.sync += header.eq(Cat(header, self.rows.payload)[config.row_bits :])
            with m.If(row == header_rows - 1):
                m.d.sync += [in_header.eq(0), row.eq(0)]
            with m.Else():
                m.d.sync += row.eq(row + 1)
        with m.Elif(accept):
            for lane in range(config.lanes):
                with m.If(row == lane):
                    m.d.sync += self.weights[lane].eq(self.rows.payload)
            m.d.sync += row.eq(row + 1)
            with m.If(row == config.lanes - 1):
                last_slice = slices_left == 1
                m.d.sync += [
                    row.eq(0),
                    self.full.eq(1),
                    slices_left.eq(Mux(last_slice, slices, slices_left - 1)),
                ]
                with m.If(last_slice):
                    m.d.sync += [
                        in_header.eq(1),
                        tiles_left.eq(tiles_left - 1),
                        self.feeding.eq(tiles_left != 1),
                    ]
        return m
