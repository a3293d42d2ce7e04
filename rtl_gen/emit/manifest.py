"""The generated map beside the Verilog: what a test bench or a tool may rely on, by name.

| key | contents |
| --- | --- |
| `module`, `preset`, `overrides` | the top module, and what was asked for |
| `parameters` | every choice of the configuration |
| `config_digest` | hash of the parameters that programs depend on, `AcceleratorConfig.digest` |
| `verilog_sha256` | hash of the Verilog's bytes |
| `ports` | name, direction (seen from the design) and width in bits |
| `registers` | name, offset, access and description of what the host sees, counters included |
| `memories` | the memory plan, see `memory_map` |
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

from rtl_gen.config import AcceleratorConfig
from rtl_gen.emit.verilog import Design
from rtl_gen.interfaces.memories import Memory, memory_plan

_PLACES = {
    "gelu": "core.linear.epilogue.gelu_",
    "accumulators": "core.linear.accumulators.",
    "statistics": "core.norm.statistics.",
    "scores": "core.attention.softmax.exponentials.scores",
    "exponentials": "core.attention.row_buffer.exponentials",
    "addresses": "core.attention.row_buffer.addresses",
    "output_rows": "core.attention.output_unit.queue.",
    "importance": "core.attention.importance.",
    "live_list": "core.prune.live_tokens.",
    "stream": "reader.beats.",
}
"""How the names of a memory's banks begin in the accelerator, where the core does not build it."""


def manifest(
    design: Design,
    *,
    preset: str,
    overrides: Mapping[str, int],
    config: AcceleratorConfig,
    registers: Sequence[Mapping[str, str | int]],
) -> str:
    """JSON text that describes the `design` of an accelerator."""
    entries = {
        "module": design.name,
        "preset": preset,
        "overrides": dict(overrides),
        "parameters": config.as_dict(),
        "config_digest": config.digest(),
        "verilog_sha256": hashlib.sha256(design.text.encode()).hexdigest(),
        "ports": [dataclasses.asdict(port) for port in design.ports],
        "registers": list(registers),
        "memories": memory_map(design, config),
    }
    return json.dumps(entries, indent=2) + "\n"


def memory_map(design: Design, config: AcceleratorConfig) -> list[dict]:
    """The rows of the memory plan, with the banks that the design has of each.

    `name` and what it `holds`; `words` of `bits` in each of `banks`; `writers` and `readers`, units
    of the core; the `holder`, null for the core itself; hierarchical names of the banks, in order:
    `paths`, none for what lies in registers or logic; `writable`, false for a table.
    """
    return [_row(memory, design) for memory in memory_plan(config).values()]


def _row(memory: Memory, design: Design) -> dict:
    begin = f"{design.name}.{_PLACES.get(memory.name, f'core.{memory.name}.')}"
    banks = [bank for bank in design.memories if bank.name.startswith(begin)]
    fields = ("name", "holds", "words", "bits", "banks", "writers", "readers", "holder")
    return {field: getattr(memory, field) for field in fields} | {
        "paths": [bank.name for bank in banks],
        "writable": not memory.constant,
    }
