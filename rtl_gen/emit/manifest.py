"""The generated map beside the Verilog: what a test bench or a tool may rely on, by name.

| key | contents |
| --- | --- |
| `module`, `preset`, `overrides` | the top module, and what was asked for |
| `parameters` | every choice of the configuration |
| `config_digest` | hash of the parameters that programs depend on, `AcceleratorConfig.digest` |
| `files` | SHA-256 of the bytes of every other file |
| `clock`, `reset`, `interrupt` | their ports; frequency assumed, cycles of reset |
| `buses` | protocol, role, prefix of the ports' names and widths of both buses |
| `ports` | name, direction (seen from the design) and width in bits |
| `errors` | the codes of register `error`, by name |
| `registers` | name, offset, access, description, and fields with bits, reset value and values |
| `memories` | the memory plan, see `memory_map` |
| `srams` | modules of sram.v: size, parts that are written separately, how many there are |
| `collision` | what a word gives that is read while it is written |
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import MAP_ADDRESS_BITS
from rtl_gen.emit.integration import sram_counts
from rtl_gen.emit.simulation import RESET_CYCLES
from rtl_gen.emit.verilog import Design
from rtl_gen.interfaces.memories import memory_plan
from rtl_gen.interfaces.memory import Memory
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.json_file import json_text
from rtl_gen.memory import sram

_PLACES = {
    "gelu": "linear.epilogue.gelu_",
    "accumulators": "linear.accumulators.",
    "statistics": "norm.statistics.",
    "scores": "attention.softmax.exponentials.scores",
    "exponentials": "attention.row_buffer.exponentials",
    "addresses": "attention.row_buffer.addresses",
    "output_rows": "attention.output_unit.queue.",
    "importance": "attention.importance.",
    "live_list": "prune.live_tokens.",
    "stream": "reader.beats.",
}
"""How the names of a memory's banks begin in a core, or in the accelerator if it is not a core's,
where the core does not build it."""


def manifest(
    design: Design,
    *,
    preset: str,
    overrides: Mapping[str, int],
    config: AcceleratorConfig,
    registers: Sequence[Mapping[str, Any]],
    files: Mapping[str, str | bytes],
) -> str:
    """JSON text that describes the `design` of an accelerator and the `files` beside it."""
    entries = {
        "module": design.name,
        "preset": preset,
        "overrides": dict(overrides),
        "parameters": config.as_dict(),
        "config_digest": config.digest(),
        "files": {path: _digest(content) for path, content in sorted(files.items())},
        "clock": {"port": "clk", "edge": "rising", "frequency_mhz": config.frequency_mhz},
        "reset": {"port": "rst", "active": "high", "synchronous": True, "cycles": RESET_CYCLES},
        "interrupt": {"port": "irq", "active": "high", "sensitivity": "level"},
        "buses": _buses(config),
        "ports": [dataclasses.asdict(port) for port in design.ports],
        "errors": {code.name.lower(): int(code) for code in ErrorCode},
        "registers": list(registers),
        "memories": memory_map(design, config),
        "srams": [_sram(module, count) for module, count in sram_counts(design).items()],
        "collision": "undefined",
    }
    return json_text(entries)


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def _buses(config: AcceleratorConfig) -> list[dict[str, Any]]:
    return [
        {
            "prefix": "s_axil_",
            "protocol": "AXI4-Lite",
            "role": "subordinate",
            "data_bits": axi.LITE_DATA_BITS,
            "address_bits": MAP_ADDRESS_BITS,
        },
        {
            "prefix": "m_axi_",
            "protocol": "AXI4",
            "role": "manager",
            "data_bits": 8 * config.bus_bytes,
            "address_bits": config.address_bits,
            "id_bits": axi.ID_BITS,
            "burst_beats": axi.BURST_BEATS,
        },
    ]


def _sram(module: str, count: int) -> dict[str, str | int]:
    words, bits, parts = sram.size(module)
    return {"module": module, "words": words, "bits": bits, "parts": parts, "instances": count}


def memory_map(design: Design, config: AcceleratorConfig) -> list[dict]:
    """The rows of the memory plan, with the banks that the design has of each.

    `name` and what it `holds`; `words` of `bits` in each of `banks`; `writers` and `readers`, units
    of the core; the `holder`, null for the core itself; hierarchical names of the banks, core by
    core and in order: `paths`, none for what lies in registers or logic; `writable`, false
    for a table.
    """
    cores = [f"cluster.core_{index}." for index in range(config.cores)]
    return [
        _row(memory, design, cores if memory.of_core else [""])
        for memory in memory_plan(config).values()
    ]


def _row(memory: Memory, design: Design, around: Sequence[str]) -> dict:
    place = _PLACES.get(memory.name, f"{memory.name}.")
    begins = tuple(f"{design.name}.{path}{place}" for path in around)
    banks = [bank for bank in design.memories if bank.name.startswith(begins)]
    fields = ("name", "holds", "words", "bits", "banks", "writers", "readers", "holder")
    return {field: getattr(memory, field) for field in fields} | {
        "paths": [bank.name for bank in banks],
        "writable": not memory.constant,
    }
