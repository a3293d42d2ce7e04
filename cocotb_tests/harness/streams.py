"""Drivers for `amaranth.lib.stream` ports, with stalls from any iterator of booleans.

A port `keys` of signature `stream.Signature(shape)` appears as `keys__valid`, `keys__ready` and
`keys__payload`; an always-ready one has no `keys__ready`, and its sink cannot pause. Items are
those of rtl_gen/interfaces/packing.py; one that does not fit is refused.

Valid and ready are sampled at the rising edge, as the hardware samples them. Once valid is up it
stays up, with the same payload, until the transfer: the rule of `amaranth.lib.stream`, which
`StreamSink` checks. A sink that pauses also sees to it that nothing waits for its ready before it
offers: some of its pauses last until valid is up.
"""

import random
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import cocotb
from amaranth.hdl import Shape
from cocotb.handle import HierarchyObject
from cocotb.triggers import Event, RisingEdge, with_timeout

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS
from rtl_gen.interfaces.packing import pack, unpack

TIMEOUT_CYCLES = 100_000
"""Longest wait of `send` and `receive`, after which a deadlock is assumed."""


def random_pauses(probability: float, seed: int) -> Iterator[bool]:
    """Endless booleans, True (pause in this cycle) with the given probability."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < probability


PAUSES_TO_AN_OFFER = 4
"""So many pauses of a sink, the last of them lasts until an item is offered."""


class _StreamPort:
    def __init__(
        self, dut: HierarchyObject, name: str, shape: Any, pauses: Iterable[bool] | None
    ) -> None:
        self.name = name
        self.shape = shape
        self.pauses = repeat(False) if pauses is None else pauses
        self._edge = RisingEdge(dut.clk)
        self._valid = dut[f"{name}__valid"]
        self._ready = getattr(dut, f"{name}__ready", None)
        self._payload = dut[f"{name}__payload"] if Shape.cast(shape).width else None


class StreamSource(_StreamPort):
    """Drives an input stream. A pause delays the next item; it never takes valid back."""

    def __init__(
        self, dut: HierarchyObject, name: str, shape: Any, pauses: Iterable[bool] | None = None
    ) -> None:
        super().__init__(dut, name, shape, pauses)
        self._queue: deque[int] = deque()
        self._filled = Event()
        self._drained = Event()
        cocotb.start_soon(self._drive())

    def put(self, items: Iterable[Any]) -> None:
        """Queue items and return at once."""
        self._queue.extend(pack(self.shape, item) for item in items)
        if self._queue:
            self._drained.clear()
            self._filled.set()

    async def send(self, items: Iterable[Any], timeout_cycles: int = TIMEOUT_CYCLES) -> None:
        """Queue items and wait until the design has taken all that were queued."""
        self.put(items)
        if self._queue:
            await with_timeout(self._drained.wait(), timeout_cycles * CLOCK_PERIOD_NS, "ns")

    async def _drive(self) -> None:
        for pause in self.pauses:
            if not self._queue:
                self._filled.clear()
                self._drained.set()
                await self._filled.wait()
            if pause:
                await self._edge
                continue
            if self._payload is not None:
                self._payload.value = self._queue[0]
            self._valid.value = 1
            await self._edge
            while self._ready is not None and not int(self._ready.value):
                await self._edge
            self._queue.popleft()
            self._valid.value = 0


class StreamSink(_StreamPort):
    """Takes items from an output stream; ready is low in the cycles that `pauses` names."""

    def __init__(
        self, dut: HierarchyObject, name: str, shape: Any, pauses: Iterable[bool] | None = None
    ) -> None:
        super().__init__(dut, name, shape, pauses)
        if pauses is not None and self._ready is None:
            raise ValueError(f"stream {name} is always ready: its sink cannot pause")
        self._items: deque[Any] = deque()
        self._arrived = Event()
        cocotb.start_soon(self._take())

    async def receive(self, count: int, timeout_cycles: int = TIMEOUT_CYCLES) -> list[Any]:
        """The next `count` items in order; fails if they don't all come within `timeout_cycles`."""

        async def wait() -> None:
            while len(self._items) < count:
                self._arrived.clear()
                await self._arrived.wait()

        await with_timeout(wait(), timeout_cycles * CLOCK_PERIOD_NS, "ns")
        return [self._items.popleft() for _ in range(count)]

    def pending(self) -> int:
        """Items that arrived and were not received."""
        return len(self._items)

    async def _take(self) -> None:
        waiting, pauses = None, 0
        for pause in self.pauses:
            if self._ready is not None:
                self._ready.value = not pause
            await self._edge
            pauses += pause
            if pause and pauses % PAUSES_TO_AN_OFFER == 0:
                while not int(self._valid.value):
                    await self._edge
            offered = bits = None
            if int(self._valid.value):
                bits = 0 if self._payload is None else int(self._payload.value)
                offered = bits
            if waiting is not None and offered != waiting:
                raise AssertionError(
                    f"stream {self.name}: offered {waiting:#x}, then without a transfer "
                    + ("took valid back" if offered is None else f"changed it to {offered:#x}")
                )
            waiting = offered if pause else None
            if offered is not None and not pause:
                self._items.append(unpack(self.shape, bits))
                self._arrived.set()
