"""Hardware of the system: LiteX with a VexRiscv, and an accelerator on its bus.

    VexRiscv ---+--- ROM (firmware), RAM, UART
                |
    Wishbone    +--- AXI4-Lite --- accelerator --- interrupt
                |                      | AXI4
                +--- memory -----------+

The memory has a port for each side and behaves as the cycle model knows it
(cocotb_tests/bus/simulated_memory.sv). Both see it at the same addresses, which the processor does
not cache, as it does not cache registers. The processor is the variant `full`, whose `wfi` sleeps.
"""

import inspect
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litex.build.generic_platform import GenericPlatform, Pins
from litex.soc.integration import export
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.axi import AXILiteInterface
from migen import ClockDomain, Instance, Module, Signal

from cocotb_tests.bus.simulated_memory import CONTROL, VERILOG
from rtl_gen.control.register_map import MAP_ADDRESS_BITS
from rtl_gen.emit.verilog import Contents, Design, Port

TOP = "soc"
ROM_FILE = f"{TOP}_rom.init"
ROM_BYTES, RAM_BYTES = 1 << 18, 1 << 13
REGISTERS, MEMORY = 0x9000_0000, 0xA000_0000
"""Addresses, in the half that the processor does not cache."""

MODELS = (VERILOG, Path(__file__).with_name("memory_port.sv"))

LATENCY_BITS = 16

PORTS = (
    Port("clk", "input", 1),
    Port("latency", "input", LATENCY_BITS),
    Port("rst", "input", 1),
    Port("uart_data", "output", 8),
    Port("uart_valid", "output", 1),
)

_LITE = {
    "aw": ("addr", "prot", "valid", "ready"),
    "w": ("data", "strb", "valid", "ready"),
    "b": ("resp", "valid", "ready"),
    "ar": ("addr", "prot", "valid", "ready"),
    "r": ("data", "resp", "valid", "ready"),
}
"""Signals of each channel of AXI4-Lite."""

_WISHBONE = ("adr", "dat_w", "sel", "cyc", "stb", "we")
"""What the processor drives."""

_AS_LITEX_WRITES = "/* verilator lint_off COMBDLY */"
"""Its combinational processes assign as clocked ones do."""


@dataclass(frozen=True)
class Hardware:
    """A system, and what its firmware is compiled with."""

    design: Design
    """Module TOP with PORTS: `latency` is the memory's, in cycles; a character is `uart_data` in a
    cycle of `uart_valid`. To be simulated with MODELS."""
    files: Mapping[str, str]
    """That simulators read when they start: contents of ROM and RAM."""
    headers: Mapping[str, str]
    """C headers and parts of the linker's script, in a folder `generated`."""
    processor: Path
    """Folder of the processor's start code and headers."""
    compiler_options: tuple[str, ...]


def build_hardware(rtl: Path, memory_bytes: int) -> Hardware:
    """The system around an accelerator.

    Args:
        rtl: the accelerator's folder, as `sparse_vit.build_rtl` writes it.
        memory_bytes: of the memory, a power of two.
    """
    with _silent():
        system = _System(json.loads((rtl / "manifest.json").read_text()), memory_bytes)
        # Written as for synthesis, combinational processes wake each other for ever on Icarus.
        verilog = system.platform.get_verilog(system, name=TOP, regular_comb=False)
    # Comments tell the date, and the hierarchy in an order that changes.
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", verilog.main_source, flags=re.DOTALL)
    sources = [Path(path) for path, *_ in system.platform.sources]
    sources += [rtl / "accelerator.v", rtl / "sram.v"]
    csr = system.csr_regions, system.constants, system.mem_regions["csr"].origin
    return Hardware(
        design=Design(
            TOP,
            "\n".join([_AS_LITEX_WRITES, text, *(path.read_text() for path in sources)]),
            {TOP: Contents(PORTS, {}, ())},
        ),
        files=dict(verilog.data_files),
        headers={
            "csr.h": export.get_csr_header(*csr),
            "mem.h": export.get_mem_header(system.mem_regions),
            "soc.h": export.get_soc_header(system.constants),
            "regions.ld": export.get_linker_regions(system.mem_regions),
            "output_format.ld": export.get_linker_output_format(system.cpu),
        },
        processor=Path(inspect.getfile(type(system.cpu))).parent,
        compiler_options=tuple(system.cpu.gcc_flags.split()),
    )


class _Clock(Module):
    """The clock and the reset of everything, from pins."""

    def __init__(self, platform: GenericPlatform):
        self.clock_domains.cd_sys = ClockDomain()
        self.comb += [
            self.cd_sys.clk.eq(platform.request("clk")),
            self.cd_sys.rst.eq(platform.request("rst")),
        ]


class _System(SoCCore):
    def __init__(self, manifest: Mapping[str, Any], memory_bytes: int):
        pins = [(port.name, 0, Pins(port.width)) for port in PORTS]
        platform = GenericPlatform("sim", pins, name=TOP)
        super().__init__(
            platform,
            clk_freq=1e6 * manifest["clock"]["frequency_mhz"],
            cpu_type="vexriscv",
            cpu_variant="full",
            integrated_rom_size=ROM_BYTES,
            integrated_sram_size=RAM_BYTES,
            uart_name="stub",
            with_timer=False,
        )
        self.submodules.clock = _Clock(platform)
        self.sync += [
            platform.request("uart_valid").eq(self.uart.source.valid),
            platform.request("uart_data").eq(self.uart.source.data),
        ]
        self._manifest = manifest
        self._clock = {"clk": self.clock.cd_sys.clk, "rst": self.clock.cd_sys.rst}
        self._axi = {
            port["name"]: Signal(port["width"])
            for port in manifest["ports"]
            if port["name"].startswith("m_axi_")
        }
        self._add_accelerator()
        self._add_memory(memory_bytes, platform.request("latency"))

    def _add_accelerator(self) -> None:
        lite, interrupt = AXILiteInterface(), Signal()
        self.bus.add_slave("vit", lite, SoCRegion(REGISTERS, 1 << MAP_ADDRESS_BITS, cached=False))
        self.irq.add("vit")
        self.comb += self.cpu.interrupt[self.irq.locs["vit"]].eq(interrupt)
        signals = {**self._clock, **self._axi, "irq": interrupt}
        for channel, names in _LITE.items():
            for name in names:
                signals[f"s_axil_{channel}{name}"] = getattr(getattr(lite, channel), name)
        for name in ("s_axil_araddr", "s_axil_awaddr"):
            signals[name] = signals[name][:MAP_ADDRESS_BITS]
        ports = {
            f"{port['direction'][0]}_{port['name']}": signals[port["name"]]
            for port in self._manifest["ports"]
        }
        self.specials += Instance("accelerator", **ports)

    def _add_memory(self, memory_bytes: int, latency: Signal) -> None:
        bus = wishbone.Interface()
        self.bus.add_slave("vit_memory", bus, SoCRegion(MEMORY, memory_bytes, cached=False))
        beat_bytes = len(self._axi["m_axi_wdata"]) // 8
        size = {"p_BEAT_BYTES": beat_bytes, "p_BEATS": memory_bytes // beat_bytes}
        clock = {f"i_{name}": signal for name, signal in self._clock.items()}
        control = {f"i_{name}": 0 for name in CONTROL.members}
        control |= {"i_latency": latency, "i_rate": beat_bytes}
        # What the accelerator drives the memory takes, and the other way round.
        other_end = {"output": "i", "input": "o"}
        axi = {
            f"{other_end[port['direction']]}_{port['name'].removeprefix('m_axi_')}": port["name"]
            for port in self._manifest["ports"]
            if port["name"] in self._axi
        }
        signals = {name: self._axi[port] for name, port in axi.items()}
        for name in ("i_araddr", "i_awaddr"):
            place = Signal(len(signals[name]))
            self.comb += place.eq(signals[name] - MEMORY)
            signals[name] = place
        self.specials += Instance(
            "simulated_memory",
            name="memory",
            p_ADDRESS_BITS=len(signals["i_araddr"]),
            p_SECURE=self._manifest["parameters"]["secure"],
            **size,
            **clock,
            **control,
            **signals,
        )
        driven = {f"i_{name}": getattr(bus, name) for name in _WISHBONE}
        self.specials += Instance(
            "memory_port", **size, **clock, **driven, o_dat_r=bus.dat_r, o_ack=bus.ack
        )


@contextmanager
def _silent() -> Iterator[None]:
    """LiteX tells what it does, unless logging is set up already."""
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
