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
    "gelu": "linear.epilogue.gelu_",
    "accumulators": "linear.accumulators.",
    "statistics": "norm.statistics.",
    "scores": "attention.softmax.exponentials.scores",
    "exp_table": "attention.softmax.exponentials.table_",
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
    of the core; the `holder`, null for the core itself; hierarchical names of the banks, core by
    core and in order: `paths`, none for what lies in registers; `writable`, false for a table.
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
        "writable": all(bank.writable for bank in banks),
    }
