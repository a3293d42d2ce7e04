"""Bench of `WeightBuffer`. Parameters: configuration, seed."""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.linear.layers import Layer, draw_layer
from rtl_gen.interfaces.program import Destination
from rtl_gen.linear.weight_buffer import WeightBuffer

SHAPES = ((1, 1), (3, 1), (1, 3), (4, 2))
"""Groups of outputs, slices of inputs."""


class BufferBench(UnitBench):
    UNIT = WeightBuffer

    def __init__(self, dut, row_pauses: float = 0, tile_pauses: float = 0):
        super().__init__(dut)
        self.layers = self.source("layer")
        self.rows = self.source("payload__rows", self.pauses(row_pauses))
        self.tiles = self.sink("tile", self.pauses(tile_pauses))

    def layer(self, tiles: int, slices: int) -> Layer:
        return draw_layer(self.rng, self.config, Destination.HIDDEN, tiles, slices)

    async def run(self, layers: list[Layer]) -> None:
        """Payloads as fast as they are taken; compares all tiles."""
        for layer in layers:
            self.rows.put(layer.payload(self.config))
        self.layers.put(layer.command for layer in layers)
        for layer in layers:
            expected = self.expected(layer)
            assert await self.tiles.receive(len(expected)) == expected
        await ClockCycles(self.dut.clk, 3 * self.config.lanes)
        assert not self.tiles.pending()
        assert not self.get("payload__feeding")

    def expected(self, layer: Layer) -> list[dict]:
        """Tiles in the order of the loop nest, each with the parameters of its group."""
        lanes, width = self.config.lanes, self.config.width
        return [
            {
                "weights": [row[at : at + width] for row in layer.weights[first : first + lanes]],
                "parameters": [
                    of | {"reserved": 0} for of in layer.parameters[first : first + lanes]
                ],
            }
            for first in range(0, len(layer.weights), lanes)
            for at in range(0, layer.command["slices"] * width, width)
        ]


@cocotb.test()
async def slow_rows(dut):
    bench = await BufferBench.on(dut, row_pauses=0.6)
    await bench.run([bench.layer(*shape) for shape in SHAPES])


@cocotb.test()
async def slow_array(dut):
    bench = await BufferBench.on(dut, tile_pauses=0.95)
    await bench.run([bench.layer(*shape) for shape in SHAPES])


@cocotb.test()
async def both_stall(dut):
    bench = await BufferBench.on(dut, row_pauses=0.4, tile_pauses=0.8)
    await bench.run([bench.layer(*shape) for shape in SHAPES])


@cocotb.test()
async def full_rate(dut):
    """A row a cycle, none of them before a layer is there."""
    bench = await BufferBench.on(dut)
    taken = bench.record("payload__rows__ready")
    for shape in SHAPES:
        layer = bench.layer(*shape)
        rows = layer.payload(bench.config)
        bench.rows.put(rows)
        await ClockCycles(dut.clk, 5)
        assert not taken
        await bench.layers.send([layer.command])
        begin = bench.cycle
        await bench.tiles.receive(layer.command["tiles"] * layer.command["slices"])
        await bench.edge
        assert [cycle - begin for (cycle,) in taken] == list(range(1, len(rows) + 1))
        taken.clear()
