"""Programs for benches, and random commands: fields small, large and around their limits."""

import random
import zlib
from collections.abc import Mapping

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import COMMANDS, Opcode
from rtl_gen.interfaces.program import HEADER, MAGIC, VERSION, command_layout, pack_record
from rtl_gen.interfaces.targets import Target, transfers


def build_program(
    config: AcceleratorConfig, *parts: Mapping[str, int] | bytes, **others: int
) -> bytes:
    """A program of commands, legal or not, and payloads; `others` replace fields of its header.

    The checksum of every HALT is right.
    """
    layout = command_layout(config)
    records = [p if isinstance(p, bytes) else pack_record(config, layout, p) for p in parts]
    rows = sum(map(len, records)) // config.width
    right = {"magic": MAGIC, "version": VERSION, "digest": int(config.digest(), 16), "rows": rows}
    program = covered = pack_record(config, HEADER, right | others)
    counts = True
    for part, record in zip(parts, records, strict=True):
        if not isinstance(part, bytes):
            counts = True
            if part["opcode"] == Opcode.HALT:
                sum_before = zlib.crc32(covered + record[:-4])
                record = record[:-4] + sum_before.to_bytes(4, "little")
        covered += record if counts else b""
        program += record
        if not isinstance(part, bytes):
            counts = not (part["opcode"] == Opcode.LOAD and part.get("input"))
    return program


def draw_command(config: AcceleratorConfig, rng: random.Random) -> dict[str, int]:
    """Any command, all fields given; scales are left out."""
    layout = command_layout(config)
    limits = {
        "tiles": [3 * config.chunks, config.hidden_dim // config.lanes],
        "slices": [config.max_dim // config.width, config.hidden_dim // config.width],
        "pitch": [config.max_dim // config.width, config.hidden_dim // config.width],
        "dim": [config.max_dim],
        "prefix": range(7),
        "target": list(Target),
        "count": [t.rows for t in transfers(config).values()],
        "first": [t.rows for t in transfers(config).values()],
        "address": range(0, 1 << 32, config.width),
    }

    def draw(name: str, bits: int) -> int:
        value = rng.choice([rng.getrandbits(bits), rng.getrandbits(bits) >> bits // 2, 0, 1])
        if name in limits and rng.random() < 0.8:
            value = rng.choice(limits[name]) - rng.choice([0, 0, 0, 1, -1])
        if name == "address" and rng.random() < 0.2:
            value = (1 << 32) - config.width * rng.randint(1, 4)
        return max(0, min(value, (1 << bits) - 1))

    fields = {
        name: draw(name, field.width)
        for name, field in layout
        if name not in ("opcode", "reserved", "scale_a", "scale_b")
    }
    return {"opcode": rng.choice([*range(len(COMMANDS)), rng.getrandbits(8)]), **fields}
