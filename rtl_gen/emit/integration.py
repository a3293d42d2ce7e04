"""What the integration page and the constraints leave open."""

from collections import Counter
from collections.abc import Mapping

from rtl_gen.bus.axi import BURST_BEATS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import MAP_ADDRESS_BITS, RegisterMap
from rtl_gen.emit.simulation import RESET_CYCLES
from rtl_gen.emit.verilog import Design
from rtl_gen.memory import sram

OUTSIDE = 1 / 3
"""Share of the period for what lies outside the accelerator at either end."""


def constraint_values(config: AcceleratorConfig, design: Design) -> Mapping[str, object]:
    """Of the clock and of inputs and outputs."""
    period = 1000 / config.frequency_mhz
    inputs = [port.name for port in design.ports if port.direction == "input"]
    return {
        "frequency_mhz": config.frequency_mhz,
        "period_ns": f"{period:.3f}",
        "outside_ns": f"{period * OUTSIDE:.3f}",
        "inputs": " ".join(name for name in inputs if name != "clk"),
    }


def sram_counts(design: Design) -> dict[str, int]:
    """How many of each module of sram.v there are in the hierarchy."""
    return dict(sorted(Counter(_srams(design, design.name)).items(), key=lambda item: item[0]))


def readme_values(
    config: AcceleratorConfig, design: Design, preset: str, registers: RegisterMap
) -> Mapping[str, object]:
    """Of the page for who integrates the accelerator."""
    rows = []
    for module, count in sram_counts(design).items():
        words, bits, parts = sram.size(module)
        rows.append(f"| `{module}` | {words:,} | {bits} | {parts} | {count} |")
    return {
        "preset": preset,
        "digest": config.digest(),
        "macs": config.macs,
        "bus_bytes": config.bus_bytes,
        "address_bits": config.address_bits,
        "bus_bits": 8 * config.bus_bytes,
        "width": config.width,
        "burst_beats": BURST_BEATS,
        "protection": "secure" if config.secure else "non-secure",
        "reset_cycles": RESET_CYCLES,
        "map_bytes": 1 << MAP_ADDRESS_BITS,
        "srams": "\n".join(rows),
        "registers": "\n".join(
            f"| {register.offset:#05x} | `{register.name}` | {register.access} | "
            f"{register.description} |"
            for register in registers
        ),
    }


def _srams(design: Design, module: str) -> list[str]:
    contents = design.modules[module]
    below = [name for child in contents.instances.values() for name in _srams(design, child)]
    return [*contents.srams, *below]
