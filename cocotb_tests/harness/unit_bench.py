"""`UnitBench`: what the benches of units share, from the configuration to the ports by name."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any, Self

import cocotb
from amaranth.hdl import Shape
from amaranth.lib import wiring
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.packing import pack, unpack


class UnitBench:
    """A unit under test. A bench names the unit, and adds what nothing but this unit needs:

        class SorterBench(UnitBench):
            UNIT = Sorter                        # or make_unit(), if it takes more than `config`

        @cocotb.test()
        async def sorts(dut):
            bench = await SorterBench.on(dut)    # after reset; options go to __init__
            keys, begin = bench.source("keys", bench.pauses(0.3)), bench.cycle
            keys.put(bench.rng.sample(range(100), 8))
            assert_equal("cycles", await bench.until("done"), Sorter.latency(bench.config))
            assert_equal("list", await bench.read("list", range(8), Sorter.READ_LATENCY), ...)

    Ports go by their names in Verilog (`list__data`), their values are items of `packing` in the
    shapes of the unit's signature. Whatever is awaited returns just after a rising edge.
    A read port has `enable`, `address`, `data`; a write port, too, a bit of `enable` a chunk.

    Attributes
    ----------
    given : the parameters of `simulate`: `config` and `seed` among them
    unit : the component, with its constants
    edge : trigger, the clock's next rising edge
    """

    UNIT: Callable[[AcceleratorConfig], wiring.Component]
    LIMIT_CYCLES = 40_000

    @classmethod
    async def on(cls, dut: HierarchyObject, **options: Any) -> Self:
        """Start the clock and reset the design; a test that takes LIMIT_CYCLES from here fails."""
        await start(dut, limit_cycles=cls.LIMIT_CYCLES)
        return cls(dut, **options)

    def __init__(self, dut: HierarchyObject):
        self.dut, self.edge = dut, RisingEdge(dut.clk)
        self.given = parameters()
        self.rng = random.Random(self.given["seed"])
        self.unit = self.make_unit()
        ports = self.unit.signature.flatten(self.unit)
        self.shapes = {"__".join(map(str, path)): member.shape for path, member, _ in ports}

    def make_unit(self) -> wiring.Component:
        return self.UNIT(self.config)

    @cached_property
    def config(self) -> AcceleratorConfig:
        return AcceleratorConfig(**self.given["config"])

    @property
    def cycle(self) -> int:
        return int(get_sim_time("ns") // CLOCK_PERIOD_NS)

    def set(self, **items: Any) -> None:
        """Give input ports values: `set(go=1, list={"enable": 1, "address": 5})`."""
        for name, item in items.items():
            if name in self.shapes:
                self.dut[name].value = pack(self.shapes[name], item, name)
            else:
                self.set(**{f"{name}__{member}": value for member, value in item.items()})

    def get(self, name: str) -> Any:
        """The value of a port, just after an edge the one before it."""
        return unpack(self.shapes[name], int(self.dut[name].value))

    def random(self, port: str, **fields: Any) -> Any:
        """Random bits as an item of a port, save the fields that are given."""
        shape = self.shapes[port]
        item = unpack(shape, self.rng.getrandbits(Shape.cast(shape).width))
        return item | fields if fields else item

    def pauses(self, probability: float) -> Iterator[bool]:
        return random_pauses(probability, self.rng.getrandbits(32))

    def source(self, stream: str, pauses: Iterable[bool] | None = None) -> StreamSource:
        return StreamSource(self.dut, stream, self.shapes[f"{stream}__payload"], pauses)

    def sink(self, stream: str, pauses: Iterable[bool] | None = None) -> StreamSink:
        return StreamSink(self.dut, stream, self.shapes[f"{stream}__payload"], pauses)

    async def until(self, port: str, accept: Callable[[Any], bool] = bool) -> int:
        """Wait for an edge that finds `port` not 0, or as `accept` wants its value; how many edges
        there were, it included.
        """
        edges = 1
        await self.edge
        while not accept(self.get(port)):
            edges += 1
            await self.edge
        return edges

    async def pulse(self, port: str) -> None:
        """A 1 for one cycle."""
        self.dut[port].value = 1
        await self.edge
        self.dut[port].value = 0

    def record(self, gate: str, *ports: str) -> list[tuple]:
        """Grows from now on by (cycle, value of each port) whenever an edge finds `gate` not 0."""
        records = []

        async def watch() -> None:
            while True:
                await self.until(gate)
                records.append((self.cycle, *map(self.get, ports)))

        cocotb.start_soon(watch())
        return records

    async def pipeline(
        self, items: Sequence[Mapping[str, Any]], outputs: Sequence[str], latency: int
    ) -> list[dict[str, Any]]:
        """Items, dicts of input ports, one a cycle; the outputs `latency` cycles after each."""
        results = []
        for cycle in range(len(items) + latency):
            if cycle < len(items):
                self.set(**items[cycle])
            await self.edge
            if cycle >= latency:
                results.append({port: self.get(port) for port in outputs})
        return results

    async def call(self, arguments: Sequence[Any], latency: int) -> list[Any]:
        """The results of a unit with one port `call`, a function of `latency` cycles."""
        items = [{"call__argument": argument} for argument in arguments]
        results = await self.pipeline(items, ["call__result"], latency)
        return [result["call__result"] for result in results]

    async def read(
        self, port: str, addresses: Sequence[int], latency: int, pauses: Iterable[bool] = repeat(0)
    ) -> list[Any]:
        """What the unit's read port answers, `latency` enabled cycles after each address."""
        data, asked = [], 0
        for pause in pauses:
            if len(data) == len(addresses):
                break
            address = addresses[min(asked, len(addresses) - 1)]
            self.set(**{port: {"enable": not pause, "address": address}})
            await self.edge
            asked += not pause
            if asked > latency and not pause:
                data.append(self.get(f"{port}__data"))
        self.set(**{f"{port}__enable": 0})
        return data

    def serve(self, port: str, contents: Callable[[int], Any], latency: int) -> None:
        """Be the memory behind a read port of the unit: `contents` of its addresses, None for any
        that has none, which leaves `data` as it is. The address of a single word is no port.
        """
        words = deque([None] * (latency - 1))
        wire = getattr(self.dut, f"{port}__address", None)

        async def answer() -> None:
            while True:
                await self.until(f"{port}__enable")
                address = 0 if wire is None else wire.value
                known = wire is None or address.is_resolvable
                words.append(contents(int(address)) if known else None)
                if (word := words.popleft()) is not None:
                    self.set(**{f"{port}__data": word})

        cocotb.start_soon(answer())
