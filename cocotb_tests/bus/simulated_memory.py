"""An AXI4 memory inside the simulation: a long run needs no Python between start and end.

`SimulatedMemory` goes into a bench's top level beside the design; pass VERILOG to `simulate` as one
of its `models`. The bench's `MemoryAccess` fills and reads it through files in the run's folder and
chooses its behaviour, all through the `control` ports.
"""

from pathlib import Path

import numpy as np
from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig

VERILOG = Path(__file__).with_name("simulated_memory.sv")

LATENCY_MIN = 2
"""A shorter latency acts like this one."""

CONTROL = wiring.Signature(
    {
        "load": Out(1),
        "dump": Out(1),
        "first": Out(32),
        "count": Out(32),
        "latency": Out(16),
        "rate": Out(8),
        "stall": Out(8),
        "fault_first": Out(32),
        "fault_count": Out(32),
        "fault_response": Out(2),
    }
)
"""`load` reads `count` beats from `memory.bin` into the memory from beat `first` on, `dump` writes
them to `memory.hex`. The rest are the arguments of `MemoryAccess.configure`."""


class SimulatedMemory(wiring.Component):
    """
    Bursts are answered in order, their first beat `latency` cycles after the transfer of the
    address at the earliest, then a beat a cycle; a write's response comes as long after its last
    beat. Both directions run at once, each with up to 64 bursts in flight. Beats beyond the end get
    DECERR. The contents at power-up are undefined.

    A manager that breaks the protocol (an illegal burst, a 4 KB crossing, a valid that falls or
    anything that changes before its transfer, a wrong WLAST) or whose bursts have other attributes
    than documented (IDs, strobes, AxLOCK, AxCACHE, AxPROT, AxQOS) stops the simulator, if `strict`.

    Parameters
    ----------
    beats : size in beats of `bus_bytes`
    strict : see above

    Attributes
    ----------
    read, write : AXI4
    control : see CONTROL
    """

    def __init__(self, config: AcceleratorConfig, beats: int, *, strict: bool = True):
        self._parameters = {
            "ADDRESS_BITS": config.address_bits,
            "BEAT_BYTES": config.bus_bytes,
            "BEATS": beats,
            "SECURE": config.secure,
            "STRICT": int(strict),
        }
        super().__init__(
            {
                "read": In(axi.read_signature(config)),
                "write": In(axi.write_signature(config)),
                "control": In(CONTROL),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for interface in (self.read, self.write, self.control):
            for name, member in interface.signature.members.items():
                direction = "o" if member.flow is Out else "i"
                ports[f"{direction}_{name}"] = getattr(interface, name)
        parameters = {f"p_{name}": value for name, value in self._parameters.items()}
        m.submodules.memory = Instance("simulated_memory", **parameters, **ports)
        return m


class MemoryAccess:
    """Access to a `SimulatedMemory` whose `control` is the port `name` of the design."""

    def __init__(self, dut: HierarchyObject, name: str, config: AcceleratorConfig):
        self._dut, self._name, self._beat_bytes = dut, name, config.bus_bytes
        self.configure()

    def configure(
        self,
        *,
        latency: int = LATENCY_MIN,
        rate: int | None = None,
        stall: float = 0,
        faults: range = range(0),
        response: axi.Response = axi.Response.OKAY,
    ) -> None:
        """Choose the latency in cycles, bytes a cycle (default: a beat) and how often to stall.

        `stall` is the probability that a channel makes a cycle's pause. Beats at the addresses
        `faults`, which are whole beats, are read and written, but answered with `response`; so is
        a write burst as a whole.
        """
        first, count = self._beats(faults.start, len(faults))
        self._set(
            latency=latency,
            rate=self._beat_bytes if rate is None else rate,
            stall=round(256 * stall),
            fault_first=first,
            fault_count=count,
            fault_response=response,
        )

    async def write(self, address: int, data: bytes) -> None:
        """Put `data` into memory; both address and length are whole beats. Takes a cycle."""
        first, count = self._beats(address, len(data))
        # $fread fills a word from its high byte on.
        words = np.frombuffer(data, np.uint8).reshape(count, self._beat_bytes)
        words[:, ::-1].tofile("memory.bin")
        await self._strobe("load", first, count)

    async def read(self, address: int, length: int, *, undefined: bool = False) -> bytes:
        """What memory holds; both address and length are whole beats. Takes a cycle.

        Bits that are X are an error or, with `undefined`, zeros (Icarus; Verilator knows no X).
        """
        first, count = self._beats(address, length)
        await self._strobe("dump", first, count)
        lines = Path("memory.hex").read_text().splitlines()
        words = [line for line in lines if line and not line.startswith(("//", "@"))]
        if undefined:
            words = [word.lower().replace("x", "0") for word in words]
        return b"".join(bytes.fromhex(word)[::-1] for word in words)

    async def _strobe(self, action: str, first: int, count: int) -> None:
        self._set(first=first, count=count, **{action: 1})
        await RisingEdge(self._dut.clk)
        self._set(**{action: 0})
        await RisingEdge(self._dut.clk)

    def _beats(self, address: int, length: int) -> tuple[int, int]:
        if address % self._beat_bytes or length % self._beat_bytes:
            raise ValueError(f"{length} bytes at {address:#x} are not whole beats")
        return address // self._beat_bytes, length // self._beat_bytes

    def _set(self, **values: int) -> None:
        for name, value in values.items():
            self._dut[f"{self._name}__{name}"].value = value
