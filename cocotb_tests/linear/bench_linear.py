"""Bench of `LinearStage`. Parameters: configuration, seed.

The expectation is plain Python, from the definition of a linear layer and of where its results go.
"""

import random
from collections import Counter
from dataclasses import dataclass

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSource, random_pauses
from cocotb_tests.linear.linear_stage import LinearStage, Place
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.packing import unpack
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.linear.linear import linear_layout, result_layout
from rtl_gen.linear.tile_walker import TileWalker

LIMIT_CYCLES = 60_000
PARAMETER_BYTES = {"bias": 4, "multiplier": 2, "shift": 1, "reserved": 1}
WIDE = (Destination.LOGITS, Destination.RESIDUAL)
LARGEST = (1 << 31) - 1


def saturate(x: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


@dataclass
class Layer:
    """One layer: the fields of its command, and a weight row and parameters an output channel."""

    command: dict
    weights: list[list[int]]
    bias: list[int]
    multiplier: list[int]
    shift: list[int]

    def payload(self, config: AcceleratorConfig) -> list[int]:
        """Rows, group by group: parameters, then a weight row a lane for every slice."""
        width, lanes = config.width, config.lanes
        data = b""
        for first in range(0, len(self.weights), lanes):
            group = range(first, first + lanes)
            head = b"".join(
                value.to_bytes(size, "little", signed=name == "bias")
                for m in group
                for (name, size), value in zip(
                    PARAMETER_BYTES.items(),
                    (self.bias[m], self.multiplier[m], self.shift[m], 0),
                    strict=True,
                )
            )
            data += head + bytes(-len(head) % width)
            for at in range(0, self.command["slices"] * width, width):
                for m in group:
                    data += bytes(w & 0xFF for w in self.weights[m][at : at + width])
        return [
            int.from_bytes(data[at : at + width], "little") for at in range(0, len(data), width)
        ]

    def output(self, m: int, inputs: list[int]) -> int:
        """Channel m before it goes anywhere: int16."""
        acc = self.bias[m] + sum(w * x for w, x in zip(self.weights[m], inputs, strict=True))
        half = 1 << (self.shift[m] - 1)
        return saturate((acc * self.multiplier[m] + half) >> self.shift[m], 16)


class Driver:
    """What the core does around the engine, and the contents that its memories must have."""

    def __init__(self, dut: HierarchyObject):
        given = parameters()
        self.dut = dut
        self.seed = given["seed"]
        self.rng = random.Random(self.seed)
        self.config = config = AcceleratorConfig(**given["config"])
        stage = LinearStage(config)
        self.fill = StreamSource(dut, "fill", config.count_bits)
        self.keep = StreamSource(dut, "keep", stage.keep_word)
        self.load = StreamSource(dut, "load", stage.load_word)
        self.command = StreamSource(dut, "command", linear_layout(self.config))
        self.live: list[int] = []
        self.memories: dict[Place, dict[int, list[int]]] = {place: {} for place in Place}
        self.residual = [0] * (config.residual_rows * config.width // 2)
        self.gelu = [self.rng.randint(-128, 127) for _ in range(256)]
        self.results: list[dict] = []
        self.seen: Counter[str] = Counter()

    async def begin(self, pauses: float = 0) -> None:
        """Clock, table, sources and residual memory."""
        dut, config, rng = self.dut, self.config, self.rng
        await start(dut, limit_cycles=LIMIT_CYCLES)
        self.rows = StreamSource(dut, "rows", config.row_bits, random_pauses(pauses, self.seed))
        for entry, value in enumerate(self.gelu):
            dut.gelu_write.value, dut.gelu_address.value = 1, entry
            dut.gelu_data.value = value & 0xFF
            await RisingEdge(dut.clk)
        dut.gelu_write.value = 0
        for place, depth in (
            (Place.ACTIVATION, config.activation_rows),
            (Place.HIDDEN, config.hidden_rows),
        ):
            for address in range(depth):
                extreme = rng.random() < 0.1
                values = [-128] * config.width if extreme else self.int8s(config.width)
                self.memories[place][address] = values
                self.put(place, address, bytes(v & 0xFF for v in values))
        for address in range(config.residual_rows):
            size = config.width // 2
            values = [rng.choice([rng.randint(-32768, 32767), 0, 32767]) for _ in range(size)]
            self.residual[address * size : (address + 1) * size] = values
            self.put(Place.RESIDUAL, address, b"".join(_int16(v) for v in values))
        await self.load.send([])
        dut.go.value = 1
        cocotb.start_soon(self._watch())

    def put(self, place: Place, address: int, data: bytes) -> None:
        word = {"place": place, "address": address, "data": int.from_bytes(data, "little")}
        self.load.put([word])

    def int8s(self, count: int) -> list[int]:
        return [self.rng.randint(-128, 127) for _ in range(count)]

    async def make_live(self, live: list[int]) -> None:
        self.live = live
        lanes, words = self.config.lanes, max(live) // self.config.lanes + 1
        self.fill.put([self.config.max_tokens])
        await self._done()
        self.keep.put(
            {
                "word": word,
                "bits": sum(1 << lane for lane in range(lanes) if word * lanes + lane in live),
                "last": word == words - 1,
            }
            for word in range(words)
        )
        await self._done()
        await RisingEdge(self.dut.clk)

    async def _done(self) -> None:
        await with_timeout(RisingEdge(self.dut.done), 1000 * CLOCK_PERIOD_NS, "ns")

    async def _watch(self) -> None:
        """Collects results and counts what the status ports show."""
        dut = self.dut
        layout = result_layout(self.config)
        while True:
            await RisingEdge(dut.clk)
            if int(dut.result_valid.value):
                self.results.append(unpack(layout, int(dut.result.value)))
            for name in ("beat", "stalled", "running"):
                self.seen[name] += int(dut[name].value)
            accepted = int(dut.command__valid.value) and int(dut.command__ready.value)
            self.seen["accepted while running"] += accepted and int(dut.running.value)

    def draw(self, destination: Destination, tiles: int, slices: int, **fields) -> Layer:
        """Random weights and factors; a channel in four has extreme ones."""
        config, rng = self.config, self.rng
        outputs, inputs = tiles * config.lanes, slices * config.width
        weights = [
            rng.choice([[-128] * inputs, [127] * inputs])
            if rng.random() < 0.25
            else self.int8s(inputs)
            for _ in range(outputs)
        ]
        room = LARGEST - 128 * 128 * inputs
        spread = (128 * 128 * inputs).bit_length()
        target = 16 if destination in WIDE else 8
        return Layer(
            command={
                "source": rng.choice(list(Source)),
                "destination": destination,
                "only_cls": 0,
                "slices": slices,
                "tiles": tiles,
                "pitch": 0,
            }
            | fields,
            weights=weights,
            bias=[
                rng.choice([rng.randint(-20_000, 20_000), 0, room, -room]) for _ in range(outputs)
            ],
            multiplier=[rng.randint(1 << 15, (1 << 16) - 1) for _ in range(outputs)],
            shift=[
                rng.choice([max(1, 16 + spread - target - rng.randrange(4)), 1, 31, 63])
                for _ in range(outputs)
            ],
        )

    async def run(self, label: str, layers: list[Layer]) -> None:
        """Commands and payloads as fast as they are taken; compares results in their order."""
        dut = self.dut
        self.results.clear()
        self.seen.clear()
        expected = [item for layer in layers for item in self.expected(layer)]
        for layer in layers:
            self.rows.put(layer.payload(self.config))
        self.command.put(layer.command for layer in layers)
        await self.command.send([])
        await self.rows.send([])
        while not int(dut.idle.value):
            await RisingEdge(dut.clk)
        await ClockCycles(dut.clk, 4)
        actual = [self.visible(item) for item in self.results]
        assert_equal(f"{label}: number of results", len(actual), len(expected))
        for index, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
            assert found == wanted, f"{label}: result {index}: {found}, expected {wanted}"
        beats = sum(
            self.count(layer) * layer.command["tiles"] * layer.command["slices"] for layer in layers
        )
        assert_equal(f"{label}: beats", self.seen["beat"], beats)

    def count(self, layer: Layer) -> int:
        return 1 if layer.command["only_cls"] else len(self.live)

    def expected(self, layer: Layer) -> list[dict]:
        """What leaves the engine, and the residual memory behind it."""
        config, command = self.config, layer.command
        lanes, slices = config.lanes, command["slices"]
        destination = command["destination"]
        memory = self.memories[Place(command["source"])]
        size = 2 if destination in WIDE else 1
        groups_a_row = config.width // (size * lanes)
        items = []
        for tile in range(command["tiles"]):
            for token in self.live[: self.count(layer)]:
                inputs = [x for s in range(slices) for x in memory[token * slices + s]]
                values = [layer.output(m, inputs) for m in range(tile * lanes, (tile + 1) * lanes)]
                row = token * command["pitch"] + tile // groups_a_row
                part = tile % groups_a_row
                if destination == Destination.RESIDUAL:
                    at = row * config.width // 2 + part * lanes
                    old = self.residual[at : at + lanes]
                    values = [saturate(x + v, 16) for x, v in zip(old, values, strict=True)]
                    self.residual[at : at + lanes] = values
                elif destination != Destination.LOGITS:
                    values = [saturate(v, 8) for v in values]
                if destination == Destination.HIDDEN:
                    values = [self.gelu[v + 128] for v in values]
                item = {"destination": destination, "part": part, "values": values}
                if destination == Destination.QKV:
                    item |= {"token": token, "qkv": tile // groups_a_row}
                else:
                    item |= {"row": row}
                if destination == Destination.RESIDUAL:
                    item |= {"token": token, "first": tile == 0, "sums": values}
                items.append(item)
        return items

    def visible(self, result: dict) -> dict:
        """The same view of a result port: what would be written, and where."""
        config = self.config
        destination = Destination(result["destination"])
        size = 2 if destination in WIDE else 1
        bits = size * 8 * config.lanes
        parts = [p for p in range(config.row_bits // bits) if result["chunks"] >> p * size & 1]
        whole = sum(((1 << size) - 1) << p * size for p in parts)
        assert len(parts) == 1, f"chunks {result['chunks']:b}"
        assert whole == result["chunks"], f"chunks {result['chunks']:b}"
        data = (result["data"] >> parts[0] * bits).to_bytes(config.width * 2, "little")
        values = [
            int.from_bytes(data[at : at + size], "little", signed=True)
            for at in range(0, size * config.lanes, size)
        ]
        item = {"destination": destination, "part": parts[0], "values": values}
        if destination == Destination.QKV:
            return item | {"token": result["token"], "qkv": result["qkv"]}
        item |= {"row": result["row"]}
        if destination == Destination.RESIDUAL:
            item |= {
                "token": result["token"],
                "first": bool(result["first"]),
                "sums": result["values"],
            }
        return item


def _int16(value: int) -> bytes:
    return value.to_bytes(2, "little", signed=True)


def random_layer(driver: Driver, destination: Destination) -> Layer:
    """A layer whose results fit their memory."""
    config, rng = driver.config, driver.rng
    slices = rng.choice([1, 2, config.max_dim // config.width])
    if destination == Destination.QKV:
        return driver.draw(destination, 3 * config.chunks, slices)
    size = 2 if destination in WIDE else 1
    a_row = config.width // (size * config.lanes)
    rows = {
        Destination.HIDDEN: config.hidden_rows,
        Destination.LOGITS: config.hidden_rows,
        Destination.RESIDUAL: config.residual_rows,
    }[destination] // config.max_tokens
    return driver.draw(destination, rng.randint(1, a_row * rows), slices, pitch=rows)


def live_sets(config: AcceleratorConfig, rng: random.Random) -> list[list[int]]:
    """CLS alone, fewer than a pass's cycles, exactly these, a random half, all."""
    longest, least = config.max_tokens, TileWalker.MIN_PASS
    return [
        [0],
        [0, longest - 1],
        sorted({0, *rng.sample(range(1, longest), least - 1)}),
        [token for token in range(longest) if token == 0 or rng.random() < 0.5],
        list(range(longest)),
    ]


@cocotb.test()
async def every_destination(dut):
    """All destinations for all kinds of live sets, one layer at a time."""
    driver = Driver(dut)
    await driver.begin()
    for live in live_sets(driver.config, driver.rng):
        await driver.make_live(live)
        for destination in Destination:
            layer = random_layer(driver, destination)
            await driver.run(f"{destination.name}, {len(live)} live", [layer])


@cocotb.test()
async def only_cls(dut):
    """A layer over the first live token, as the classifier is, between layers over all."""
    driver = Driver(dut)
    await driver.begin()
    await driver.make_live(live_sets(driver.config, driver.rng)[3])
    layers = [random_layer(driver, destination) for destination in (2, 3, 2)]
    layers[0].command["only_cls"] = layers[2].command["only_cls"] = 1
    for layer in layers:
        await driver.run("only CLS", [layer])
    await driver.run("only CLS in a row", layers)


@cocotb.test()
async def back_to_back(dut):
    """The next command is taken while a layer runs; each adds to what the one before it left."""
    driver = Driver(dut)
    await driver.begin()
    for live in live_sets(driver.config, driver.rng)[1:4:2]:
        await driver.make_live(live)
        residual = [random_layer(driver, Destination.RESIDUAL) for _ in range(3)]
        mixed = [random_layer(driver, destination) for destination in (0, 3, 1)]
        await driver.run(f"{len(live)} live in a row", residual + mixed)
        assert driver.seen["accepted while running"] >= 3


@cocotb.test()
async def starved_and_held(dut):
    """Weights come late, and the start is held back by the units before."""
    driver = Driver(dut)
    await driver.begin(pauses=0.7)
    cocotb.start_soon(_toggle(dut, random_pauses(0.9, driver.seed)))
    for live in live_sets(driver.config, driver.rng)[0:4:3]:
        await driver.make_live(live)
        layers = [random_layer(driver, destination) for destination in (3, 1, 0)]
        await driver.run(f"{len(live)} live, starved", layers)
        assert driver.seen["stalled"] > 0


@cocotb.test()
async def largest_accumulators(dut):
    """Accumulators at both ends of 32 bits, through factors from the largest to the smallest."""
    driver = Driver(dut)
    await driver.begin()
    config = driver.config
    await driver.make_live([0, 3])
    for address in range(config.activation_rows):
        driver.memories[Place.ACTIVATION][address] = [-128] * config.width
        driver.put(Place.ACTIVATION, address, bytes([0x80]) * config.width)
    await driver.load.send([])
    slices = config.max_dim // config.width
    for destination in Destination:
        layer = random_layer(driver, destination)
        tiles, inputs = layer.command["tiles"], slices * config.width
        layer.command |= {"slices": slices, "source": Source.ACTIVATION}
        layer.weights = [[(-128, 127)[m % 2]] * inputs for m in range(tiles * config.lanes)]
        sums = [-128 * weights[0] * inputs for weights in layer.weights]
        layer.bias = [(LARGEST if total > 0 else -LARGEST - 1) - total for total in sums]
        for shift in (1, 31, 40, 47, 48, 63):
            layer.shift = [shift] * len(sums)
            layer.multiplier = [(1 << 16) - 1 - 3 * m for m in range(len(sums))]
            await driver.run(f"{destination.name}, shift {shift}", [layer])


async def _toggle(dut, pauses) -> None:
    for pause in pauses:
        dut.go.value = not pause
        await RisingEdge(dut.clk)
