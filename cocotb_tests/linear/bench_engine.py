"""Bench of `LinearEngine` between an array and memories in Python. Parameters: configuration, seed.

The expectation is plain Python, from the definition of a linear layer and of where its results go.
"""

from collections import Counter, deque
from collections.abc import Iterator

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.linear.layers import (
    LARGEST,
    WIDE,
    Layer,
    draw_layer,
    int8s,
    live_sets,
    random_layer,
    saturate,
)
from rtl_gen.array.mac_array import MacArray
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY, words
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.linear.engine import LinearEngine
from rtl_gen.linear.tile_walker import TileWalker

WRITTEN = ("query", "kv", "hidden", "residual")


class EngineBench(UnitBench):
    """What the core does around the engine. A word of a memory is its bytes; written are bytes by
    address of the first of them.
    """

    UNIT = LinearEngine

    def __init__(self, dut, payload_pauses: float = 0):
        super().__init__(dut)
        config, rng = self.config, self.rng
        self.layers = self.source("linear")
        self.rows = self.source("payload__rows", self.pauses(payload_pauses))
        self.live, self.seen = [0], Counter()
        self.sources = {
            Source.ACTIVATION: [self.row() for _ in range(words(config, "activation"))],
            Source.HIDDEN: [self.row() for _ in range(words(config, "hidden"))],
        }
        self.memories = {name: {} for name in WRITTEN}
        for address in range(0, words(config, "residual") * config.width, 2):
            value = rng.choice([rng.randint(-32768, 32767), 0, 32767])
            self.memories["residual"] |= _bytes_at(address, [value], 2)
        self.gelu = int8s(rng, 256)
        self.updates = self.sink("updates")
        self.serve("reads__live_list", lambda at: dict(enumerate(self.live)).get(at), LIST_LATENCY)
        self.serve("reads__activation", self.sources[Source.ACTIVATION].__getitem__, READ_LATENCY)
        self.serve("reads__hidden", self.sources[Source.HIDDEN].__getitem__, READ_LATENCY)
        self.serve("reads__residual", self._residual_row, READ_LATENCY)
        for name in WRITTEN:
            cocotb.start_soon(self._store(name))
        cocotb.start_soon(self._multiply())
        cocotb.start_soon(self._count())

    def row(self) -> list[int]:
        width = self.config.width
        return [-128] * width if self.rng.random() < 0.1 else int8s(self.rng, width)

    def _residual_row(self, address: int) -> list[int]:
        size = self.config.width
        data = bytes(self.memories["residual"][address * size + i] for i in range(size))
        return np.frombuffer(data, "<i2").tolist()

    async def _store(self, name: str) -> None:
        """Takes the chunks that are written."""
        size = self.config.lanes
        while True:
            await self.until(f"writes__{name}__enable")
            address = self.get(f"writes__{name}__address") * self.config.width
            data = int(self.dut[f"writes__{name}__data"].value)
            for chunk, enabled in enumerate(reversed(f"{self.get(f'writes__{name}__chunks'):b}")):
                if enabled == "1":
                    bits = data >> 8 * size * chunk
                    values = [bits >> 8 * i & 0xFF for i in range(size)]
                    self.memories[name] |= _bytes_at(address + chunk * size, values, 1)
            self.seen[name] += 1

    async def _multiply(self) -> None:
        """Operand registers and array: a row in every cycle, weights from `take` on."""
        lanes, width = self.config.lanes, self.config.width
        dots = deque([[0] * lanes] * MacArray.dot_latency(self.config))
        weights = np.zeros((lanes, width), int)
        while True:
            await self.edge
            bits = int(self.dut.operands__argument.value)
            data = np.frombuffer((bits >> 2).to_bytes((lanes + 1) * width, "little"), np.int8)
            if bits >> 1 & 1:
                weights = data[width:].reshape(lanes, width).astype(int)
            dots.append((weights @ data[:width].astype(int)).tolist())
            self.set(operands__result=dots.popleft())

    async def _count(self) -> None:
        while True:
            await self.edge
            self.seen += Counter(self.get("events"))
            accepted = self.get("linear__valid") and self.get("linear__ready")
            self.seen["accepted while running"] += accepted and self.get("events")["running"]

    async def begin(self) -> None:
        for entry, value in enumerate(self.gelu):
            self.set(held__gelu={"enable": 1, "address": entry, "data": value & 0xFF})
            await self.edge
        self.set(held__gelu__enable=0, go=1)

    def make_live(self, live: list[int]) -> None:
        self.live = live
        self.set(count=len(live))

    def random_layer(self, destination: Destination, **fields: int) -> Layer:
        return random_layer(self.rng, self.config, destination, **fields)

    async def run(self, label: str, layers: list[Layer]) -> None:
        """Commands and payloads as fast as they are taken; compares what they leave."""
        self.seen.clear()
        expected = {name: dict(memory) for name, memory in self.memories.items()}
        groups, updates, beats, runs = 0, [], 0, 0
        for layer in layers:
            tokens, command = self.count(layer), layer.command
            passes = command["tiles"] * command["slices"]
            groups, beats = groups + tokens * command["tiles"], beats + tokens * passes
            runs += TileWalker.LATENCY + (passes - 1) * max(tokens, TileWalker.MIN_PASS) + tokens
            runs += LinearEngine.drain_cycles(self.config)
            updates += self.apply(layer, expected)
            self.rows.put(layer.payload(self.config))
        await self.layers.send(layer.command for layer in layers)
        await self.rows.send([])
        while not self.get("idle"):
            await self.edge
        await ClockCycles(self.dut.clk, 2)
        for name, memory in self.memories.items():
            assert memory == expected[name], f"{label}: {name}"
        assert_equal(f"{label}: writes", sum(self.seen[name] for name in WRITTEN), groups)
        assert await self.updates.receive(len(updates)) == updates, f"{label}: updates"
        assert_equal(f"{label}: beats", self.seen["beat"], beats)
        assert_equal(f"{label}: cycles", self.seen["running"], runs + self.seen["stalled"])

    def count(self, layer: Layer) -> int:
        return 1 if layer.command["only_cls"] else len(self.live)

    def apply(self, layer: Layer, memories: dict[str, dict[int, int]]) -> Iterator[dict]:
        """Writes the results of a layer; yields the new residual channels."""
        config, command = self.config, layer.command
        lanes, slices = config.lanes, command["slices"]
        to = Destination(command["destination"])
        rows, size = self.sources[command["source"]], 2 if to in WIDE else 1
        groups_a_row = config.chunks // size
        for tile in range(command["tiles"]):
            row, part = divmod(tile, groups_a_row)
            for token in self.live[: self.count(layer)]:
                inputs = [x for s in range(slices) for x in rows[token * slices + s]]
                values = [layer.output(m, inputs) for m in range(tile * lanes, (tile + 1) * lanes)]
                memory, address = to.name.lower(), token * command["pitch"] + row
                if to == Destination.QKV and row == 0:
                    memory, address = "query", token
                elif to == Destination.QKV:
                    word, bank = divmod(token, lanes)
                    memory, address = "kv", (2 * word + row - 1) * lanes + bank
                elif to == Destination.LOGITS:
                    memory = "hidden"
                at = address * config.width + part * size * lanes
                if to == Destination.RESIDUAL:
                    old = bytes(memories[memory][at + i] for i in range(2 * lanes))
                    old = np.frombuffer(old, "<i2").tolist()
                    values = [saturate(x + v, 16) for x, v in zip(old, values, strict=True)]
                    yield {"token": token, "first": int(tile == 0), "values": values}
                elif to != Destination.LOGITS:
                    values = [saturate(v, 8) for v in values]
                if to == Destination.HIDDEN:
                    values = [self.gelu[v + 128] for v in values]
                memories[memory] |= _bytes_at(at, values, size)


def _bytes_at(address: int, values: list[int], size: int) -> dict[int, int]:
    """Little-endian elements of `size` bytes from `address` on."""
    data = b"".join((value & (1 << 8 * size) - 1).to_bytes(size, "little") for value in values)
    return dict(enumerate(data, address))


async def begin(dut, **options) -> EngineBench:
    bench = await EngineBench.on(dut, **options)
    await bench.begin()
    return bench


def sets(bench: EngineBench) -> list[list[int]]:
    return live_sets(bench.config, bench.rng, TileWalker.MIN_PASS)


@cocotb.test()
async def every_destination(dut):
    """All destinations for all kinds of live sets, one layer at a time."""
    bench = await begin(dut)
    for live in sets(bench):
        bench.make_live(live)
        for destination in Destination:
            await bench.run(f"{destination.name}, {live}", [bench.random_layer(destination)])


@cocotb.test()
async def only_cls(dut):
    """A layer over the first live token, as the classifier is, between layers over all."""
    bench = await begin(dut)
    bench.make_live(sets(bench)[3])
    layers = [
        bench.random_layer(Destination.LOGITS, only_cls=1),
        bench.random_layer(Destination.RESIDUAL),
        bench.random_layer(Destination.LOGITS, only_cls=1),
    ]
    for layer in layers:
        await bench.run("only CLS", [layer])
    await bench.run("only CLS in a row", layers)


@cocotb.test()
async def two_tokens_as_one(dut):
    """With twice as many slices the first token's layer reads the second one's rows as well."""
    bench = await begin(dut)
    bench.make_live([0, 1, 4])
    rows = bench.config.max_dim // bench.config.width
    for source in Source:
        fields = {"source": source, "only_cls": 1, "slices": 2 * rows}
        layer = draw_layer(bench.rng, bench.config, Destination.LOGITS, tiles=2, **fields)
        memory = bench.sources[source]
        both = [x for token in (0, 1) for row in memory[token * rows :][:rows] for x in row]
        expected = [layer.output(m, both) for m in range(len(layer.weights))]
        await bench.run(f"two tokens of {source.name}", [layer])
        data = bytes(bench.memories["hidden"][at] for at in range(2 * len(expected)))
        assert_equal("logits", np.frombuffer(data, "<i2").tolist(), expected)


@cocotb.test()
async def back_to_back(dut):
    """The next command is taken while a layer runs; each adds to what the one before it left."""
    bench = await begin(dut)
    for live in sets(bench)[1:4:2]:
        bench.make_live(live)
        layers = [bench.random_layer(destination) for destination in (3, 3, 3, 0, 3, 1)]
        await bench.run(f"{live} in a row", layers)
        assert bench.seen["accepted while running"] >= 3


@cocotb.test()
async def starved_and_held(dut):
    """Weights come late, and the start is held back by the units before."""
    bench = await begin(dut, payload_pauses=0.7)

    async def toggle():
        for pause in bench.pauses(0.9):
            bench.set(go=not pause)
            await bench.edge

    cocotb.start_soon(toggle())
    for live in sets(bench)[0:4:3]:
        bench.make_live(live)
        layers = [bench.random_layer(destination) for destination in (3, 1, 0)]
        await bench.run(f"{live}, starved", layers)
        assert bench.seen["stalled"] > 0


@cocotb.test()
async def reset_while_running(dut):
    """A layer that is cut off anywhere leaves nothing for the next but what it has written."""
    bench = await begin(dut)
    bench.make_live(sets(bench)[3])
    for cycles in (3, 40, 75, 110, 180):
        cut = bench.random_layer(Destination.RESIDUAL)
        rows = cut.payload(bench.config)
        await bench.layers.send([cut.command])
        await bench.rows.send(rows[: bench.rng.randrange(1, len(rows))])
        await ClockCycles(dut.clk, cycles)
        await bench.pulse("rst")
        await bench.edge
        assert bench.get("idle")
        while bench.updates.pending():
            await bench.updates.receive(1)
        for destination in (Destination.RESIDUAL, Destination.QKV):
            await bench.run(f"after {cycles} cycles", [bench.random_layer(destination)])


@cocotb.test()
async def largest_accumulators(dut):
    """Accumulators at both ends of 32 bits, through factors from the largest to the smallest."""
    bench = await begin(dut)
    config = bench.config
    bench.make_live([0, 3])
    bench.sources[Source.ACTIVATION][:] = [[-128] * config.width] * words(config, "activation")
    inputs = config.max_dim
    for destination in Destination:
        layer = bench.random_layer(destination, source=Source.ACTIVATION)
        layer.command["slices"] = inputs // config.width
        layer.weights = [[(-128, 127)[m % 2]] * inputs for m in range(len(layer.weights))]
        for shift in (1, 31, 40, 47, 48, 63):
            for m, (of, weights) in enumerate(zip(layer.parameters, layer.weights, strict=True)):
                total = -128 * weights[0] * inputs
                of["bias"] = (LARGEST if total > 0 else -LARGEST - 1) - total
                of["shift"], of["multiplier"] = shift, (1 << 16) - 1 - 3 * m
            await bench.run(f"{destination.name}, shift {shift}", [layer])
