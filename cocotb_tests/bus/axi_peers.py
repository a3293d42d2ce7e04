"""AXI peers of cocotbext-axi for the benches: RAMs with random stalls and refused addresses."""

import random

from cocotb.handle import HierarchyObject
from cocotbext.axi import AxiRamRead, AxiRamWrite, AxiReadBus, AxiWriteBus

from cocotb_tests.harness.streams import random_pauses

PREFIX = "axi_"
"""Of a unit's port `axi`: cocotbext-axi joins prefix and signal name with one more underscore."""


class RefusingRead(AxiRamRead):
    """Answers SLVERR for beats at addresses in `refused`."""

    refused = range(0)

    async def _read(self, address: int, length: int) -> bytes:
        if address in self.refused:
            raise PermissionError(f"read at {address:#x}")
        return await super()._read(address, length)


class RefusingWrite(AxiRamWrite):
    """Answers SLVERR for bursts with a beat at an address in `refused`."""

    refused = range(0)

    async def _write(self, address: int, data: bytes) -> None:
        if address in self.refused:
            raise PermissionError(f"write at {address:#x}")
        await super()._write(address, data)


def read_ram(dut: HierarchyObject, size: int, stall: float, seed: int) -> RefusingRead:
    """RAM of `size` bytes at the design's read channels; each pauses with probability `stall`."""
    ram = RefusingRead(AxiReadBus.from_prefix(dut, PREFIX), dut.clk, dut.rst, size=size)
    _stall([ram.ar_channel, ram.r_channel], stall, seed)
    return ram


def write_ram(dut: HierarchyObject, size: int, stall: float, seed: int) -> RefusingWrite:
    """RAM of `size` bytes at the design's write channels; each pauses with probability `stall`."""
    ram = RefusingWrite(AxiWriteBus.from_prefix(dut, PREFIX), dut.clk, dut.rst, size=size)
    _stall([ram.aw_channel, ram.w_channel, ram.b_channel], stall, seed)
    return ram


def _stall(channels: list, probability: float, seed: int) -> None:
    generator = random.Random(seed)
    if probability:
        for channel in channels:
            channel.set_pause_generator(random_pauses(probability, generator.getrandbits(32)))
