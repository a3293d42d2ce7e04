"""The testbench that goes with the Verilog, and the words of its program."""

from collections.abc import Mapping
from dataclasses import dataclass

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import CONTROL_BITS, ID, MAP_ADDRESS_BITS, RegisterMap
from rtl_gen.emit.verilog import Design

RESET_CYCLES = 2
"""Cycles of `rst` after which nothing of what registers held before matters."""

LIMIT_CYCLES = 1_000_000
"""After which the testbench gives up."""

_CLOCK = ("clk", "rst")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A program for the testbench: its bytes from address 0 on, and what it has to store."""

    image: bytes
    memory_bytes: int
    logits: Mapping[int, int]
    """What has to lie at which address."""
    logit_bytes: int


def testbench_values(
    config: AcceleratorConfig, design: Design, registers: RegisterMap, example: Example
) -> Mapping[str, object]:
    """What the template of the testbench leaves open."""
    beats = -(-max(example.memory_bytes, len(example.image)) // config.bus_bytes)
    return {
        "address_bits": config.address_bits,
        "bus_bytes": config.bus_bytes,
        "program_beats": -(-len(example.image) // config.bus_bytes),
        "memory_beats": 1 << (beats - 1).bit_length(),
        "logits": len(example.logits),
        "logit_bytes": example.logit_bytes,
        "limit_cycles": LIMIT_CYCLES,
        "reset_cycles": RESET_CYCLES,
        "register_address_high": MAP_ADDRESS_BITS - 1,
        "id": f"{ID:08x}",
        **{name: 1 << bit for name, bit in CONTROL_BITS.items()},
        **{
            f"{register.name}_offset": f"{MAP_ADDRESS_BITS}'h{register.offset:03x}"
            for register in registers
        },
        "declarations": _declarations(design),
        "connections": _connections({port.name: port.name for port in design.ports}),
        "memory_connections": _connections({**dict(zip(_CLOCK, _CLOCK, strict=True)), **_memory()}),
    }


def hex_words(data: bytes, word_bytes: int) -> str:
    """For $readmemh: little-endian words, a line each; the last one is filled up with zeros."""
    words = (data[i : i + word_bytes] for i in range(0, len(data), word_bytes))
    return "".join(f"{word.ljust(word_bytes, bytes(1))[::-1].hex()}\n" for word in words)


def hex_logits(example: Example) -> str:
    """For $readmemh: a line a logit, its address and its value in two's complement."""
    digits = 2 * example.logit_bytes
    values = ((place, value % 16**digits) for place, value in example.logits.items())
    return "".join(f"{place:08x}{value:0{digits}x}\n" for place, value in values)


def _declarations(design: Design) -> str:
    """A wire or variable a port: what the host drives is a variable."""
    lines = []
    for port in design.ports:
        if port.name in _CLOCK:
            continue
        driven = port.direction == "input" and port.name.startswith("s_axil_")
        kind = "reg" if driven else "wire"
        width = f" [{port.width - 1}:0]" if port.width > 1 else ""
        fixed = _FIXED.get(port.name)
        value = f" = {fixed}" if fixed else ""
        lines.append(f"  {'wire' if fixed else kind}{width} {port.name}{value};")
    return "\n".join(lines)


_FIXED = {
    "s_axil_awprot": "3'b000",
    "s_axil_arprot": "3'b000",
    "s_axil_wstrb": "4'b1111",
}


def _memory() -> dict[str, str]:
    """Ports of axi_memory: those of the bus that it looks at."""
    channels = {
        "ar": ("addr", "len", "burst", "valid", "ready"),
        "r": ("id", "data", "resp", "last", "valid", "ready"),
        "aw": ("addr", "len", "burst", "valid", "ready"),
        "w": ("data", "strb", "last", "valid", "ready"),
        "b": ("id", "resp", "valid", "ready"),
    }
    names = [f"{channel}{signal}" for channel, signals in channels.items() for signal in signals]
    return {name: f"m_axi_{name}" for name in names}


def _connections(ports: Mapping[str, str]) -> str:
    return ",\n".join(f"    .{port}({signal})" for port, signal in ports.items())
