"""Bench of `Placement`: random steps; some finish a group. Parameters: configuration, seed.

A group's results come a fixed time after its step; what is written is compared byte by byte.
"""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.linear.layers import WIDE
from rtl_gen.interfaces.packing import pack
from rtl_gen.interfaces.program import Destination
from rtl_gen.linear.accumulate import Accumulators
from rtl_gen.linear.epilogue import Epilogue
from rtl_gen.linear.place import Placement

STEPS = 150


class PlaceBench(UnitBench):
    UNIT = Placement

    def __init__(self, dut):
        super().__init__(dut)
        self.updates, self.written = self.sink("updates"), []
        self.places = self.record("places__valid", "places__payload")
        for memory in ("query", "kv", "hidden", "residual"):
            cocotb.start_soon(self._watch(memory, f"writes__{memory}__"))

    async def _watch(self, memory: str, port: str) -> None:
        """What is written: cycle, memory, address, first byte and bytes."""
        size = self.config.lanes
        while True:
            await self.until(f"{port}enable")
            chunks, data = self.get(f"{port}enable"), int(self.dut[f"{port}data"].value)
            first = (chunks & -chunks).bit_length() - 1
            count = chunks.bit_count()
            assert chunks == ((1 << count) - 1) << first
            values = data >> 8 * size * first & (1 << 8 * size * count) - 1
            item = (memory, self.get(f"{port}address"), size * first, size * count, values)
            self.written.append((self.cycle, *item))

    def place(self, to: Destination, step: dict) -> tuple[str, int, int, int]:
        """Memory, address, first byte and bytes of a group."""
        lanes, size = self.config.lanes, 2 if to in WIDE else 1
        row, part = divmod(step["tile"], self.config.chunks // size)
        memory, address = to.name.lower(), step["row"] + row
        if to == Destination.LOGITS:
            memory = "hidden"
        elif to == Destination.QKV and row == 0:
            memory, address = "query", step["token"]
        elif to == Destination.QKV:
            word, bank = divmod(step["token"], lanes)
            memory, address = "kv", (2 * word + row - 1) * lanes + bank
        return memory, address, part * size * lanes, size * lanes

    async def finish(self, results: dict) -> None:
        """The results of the step that is taken in this cycle."""
        await ClockCycles(self.dut.clk, Accumulators.latency(self.config) + Epilogue.LATENCY)
        self.set(results={"valid": 1, "payload": results})
        await self.edge
        self.set(results__valid=0)

    async def run(self, to: Destination) -> None:
        config, rng, name = self.config, self.rng, to.name.lower()
        shape = self.shapes["results__payload"][name].shape
        written, updates, places = [], [], {}
        tiles = 3 * config.chunks if to == Destination.QKV else 1 << config.tile_bits
        self.set(layer={"active": 1, "destination": to})
        for _ in range(STEPS):
            step = {
                "token": rng.randrange(config.max_tokens),
                "row": rng.randrange(config.activation_rows),
                "tile": rng.randrange(tiles),
            }
            results, finishes = self.random("results__payload"), rng.random() < 0.7
            self.set(steps={"valid": 1, "payload": self.random("steps__payload", **step)})
            if finishes:
                cocotb.start_soon(self.finish(results))
            await self.edge
            summed = self.cycle + Accumulators.latency(config)
            place = self.place(to, step)
            places[summed + Epilogue.PLACE_CYCLES] = step | {"row": place[1]}
            if finishes:
                values = results[name]
                written.append((summed + Epilogue.LATENCY, *place, pack(shape, values)))
                first = int(step["tile"] == 0)
                updates.append({"token": step["token"], "first": first, "values": values})
        await ClockCycles(self.dut.clk, Accumulators.latency(config) + Epilogue.LATENCY + 1)
        assert self.written == written
        if to == Destination.RESIDUAL:
            assert places.items() <= dict(self.places).items()
            assert await self.updates.receive(len(updates)) == updates
        else:
            assert not self.places
        assert not self.updates.pending()
        self.written.clear()


@cocotb.test()
async def every_destination(dut):
    bench = await PlaceBench.on(dut)
    for to in Destination:
        await bench.run(to)
