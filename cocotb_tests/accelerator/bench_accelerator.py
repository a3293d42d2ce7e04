"""Bench of `Accelerator`: memory in Python behind its port, one program from start to done.

Parameters: `image` and `memory`, paths of .npy files (memory before and after); `bus_bytes`; `latency` in
cycles from a request to its first beat; `stalls`, the probability that a stream pauses in a cycle; `seed`.
Reports every counter, error code and live count.
"""

import random

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from cocotb_tests.harness.bench import parameters, report, start
from rtl_gen.accelerator import Accelerator

TIMEOUT_CYCLES = 4_000_000


class Memory:
    """Answers the read and write streams of the design from `contents`."""

    def __init__(self, dut, contents: np.ndarray, *, bus_bytes: int, latency: int, stalls: float, seed: int):
        self.dut, self.contents = dut, contents
        self.bus_bytes, self.latency = bus_bytes, latency
        self.stalls, self.random = stalls, random.Random(seed)
        cocotb.start_soon(self._serve_reads())
        cocotb.start_soon(self._serve_writes())

    def _pause(self) -> bool:
        return self.stalls > 0 and self.random.random() < self.stalls

    async def _serve_reads(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            dut.read_request__ready.value = 1
            await edge
            if not int(dut.read_request__valid.value):
                continue
            request = int(dut.read_request__payload.value)
            dut.read_request__ready.value = 0
            address, beats = request & 0xFFFFFFFF, request >> 32
            for _ in range(self.latency - 1):
                await edge
            for _ in range(beats):
                while self._pause():
                    await edge
                data = self.contents[address : address + self.bus_bytes].tobytes()
                dut.read_data__payload.value = int.from_bytes(data, "little")
                dut.read_data__valid.value = 1
                await edge
                while not int(dut.read_data__ready.value):
                    await edge
                dut.read_data__valid.value = 0
                address += self.bus_bytes

    async def _serve_writes(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            ready = not self._pause()
            dut.write__ready.value = ready
            await edge
            if ready and int(dut.write__valid.value):
                beat = int(dut.write__payload.value)
                address = beat & 0xFFFFFFFF
                data = (beat >> 32).to_bytes(self.bus_bytes, "little")
                self.contents[address : address + self.bus_bytes] = np.frombuffer(data, np.uint8)


@cocotb.test()
async def program_runs(dut):
    given = parameters()
    memory = Memory(
        dut,
        np.load(given["image"]),
        bus_bytes=given["bus_bytes"],
        latency=given["latency"],
        stalls=given["stalls"],
        seed=given["seed"],
    )
    await start(dut)
    await FallingEdge(dut.clk)
    dut.start.value = 1
    dut.program_address.value = given["program"]
    await FallingEdge(dut.clk)
    dut.start.value = 0
    for _ in range(TIMEOUT_CYCLES):
        await RisingEdge(dut.clk)
        if int(dut.done.value):
            break
    else:
        raise AssertionError(f"not done after {TIMEOUT_CYCLES} cycles")
    counters = {name: int(getattr(dut, name).value) for name in Accelerator.COUNTERS}
    report(error=int(dut.error.value), live_count=int(dut.live_count.value), counters=counters)
    np.save(given["memory"], memory.contents)
