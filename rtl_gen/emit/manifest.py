"""The generated map beside the Verilog: what a test bench or a tool may rely on, by name.

| key | contents |
| --- | --- |
| `module`, `preset`, `overrides` | the top module, and what was asked for |
| `parameters` | every choice of the configuration |
| `config_digest` | hash of the parameters that programs depend on, `AcceleratorConfig.digest` |
| `verilog_sha256` | hash of the Verilog's bytes |
| `ports` | name, direction (seen from the design) and width in bits |
| `registers` | name, offset, access and description of what the host sees, counters included |
| `memories` | hierarchical name, depth in words, width and bits; `writable` is false for a table |
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

from rtl_gen.config import AcceleratorConfig
from rtl_gen.emit import verilog


def manifest(
    text: str,
    module: str,
    *,
    preset: str,
    overrides: Mapping[str, int],
    config: AcceleratorConfig,
    registers: Sequence[Mapping[str, str | int]],
) -> str:
    """JSON text that describes the Verilog `text` of top module `module`."""
    entries = {
        "module": module,
        "preset": preset,
        "overrides": dict(overrides),
        "parameters": config.as_dict(),
        "config_digest": config.digest(),
        "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "ports": [dataclasses.asdict(port) for port in verilog.ports(text, module)],
        "registers": list(registers),
        "memories": [
            dataclasses.asdict(memory) | {"bits": memory.depth * memory.width}
            for memory in verilog.memories(text, module)
        ],
    }
    return json.dumps(entries, indent=2) + "\n"
