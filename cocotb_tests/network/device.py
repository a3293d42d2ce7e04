"""A `System` in simulation as a device that blocks, for programs that know nothing of cocotb."""

from cocotb.handle import HierarchyObject
from cocotb.task import resume
from cocotb.triggers import ClockCycles, First, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from cocotb_tests.bus.simulated_memory import MemoryAccess
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import WORD_BYTES

LONGEST_SLEEP_CYCLES = 1_000


class SimulatedDevice:
    """What `sparse_vit.devices.Device` asks for. Its methods are called in a thread of their own:
    in a function that `cocotb.task.bridge` made, and never elsewhere.

    A refused access (SLVERR) is an error, as on a machine. Addresses and sizes are whole beats.
    """

    def __init__(self, dut: HierarchyObject, config: AcceleratorConfig):
        self._dut = dut
        self._bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.memory = MemoryAccess(dut, "memory", config)

    @resume
    async def read(self, offset: int) -> int:
        answer = await self._bus.read(offset, WORD_BYTES)
        assert answer.resp == AxiResp.OKAY, f"read at {offset:#x}: {answer.resp}"
        return int.from_bytes(answer.data, "little")

    @resume
    async def write(self, offset: int, word: int) -> None:
        answer = await self._bus.write(offset, word.to_bytes(WORD_BYTES, "little"))
        assert answer.resp == AxiResp.OKAY, f"write at {offset:#x}: {answer.resp}"

    @resume
    async def wait_for_interrupt(self, seconds: float) -> None:
        if not int(self._dut.irq.value):
            sleep = ClockCycles(self._dut.clk, LONGEST_SLEEP_CYCLES)
            await First(RisingEdge(self._dut.irq), sleep)

    @resume
    async def read_memory(self, address: int, size: int) -> bytes:
        return await self.memory.read(address, size)

    @resume
    async def write_memory(self, address: int, data: bytes) -> None:
        await self.memory.write(address, data)
