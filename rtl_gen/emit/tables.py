"""Tables of docs/architecture.md that follow from memory plan, presets and command table.

`python -m rtl_gen.emit.tables` prints them; a test holds the document to them.
"""

from collections.abc import Iterable, Sequence

from rtl_gen.control.commands import COMMANDS
from rtl_gen.interfaces.memories import memory_plan, plan_bits
from rtl_gen.presets import DEFAULT, PRESETS

DIMS = {"Tiny": 192, "Small": 384, "Base": 768}
"""Channels of DeiT's networks."""

TOKENS = 197


def memory_table() -> str:
    """Every memory of the default preset: words and bits of a bank as built, who has to do with it,
    and KB (1,024 bytes) that networks of 197 tokens use.
    """
    used = [memory_plan(DEFAULT, tokens=TOKENS, dim=dim) for dim in DIMS.values()]
    rows = []
    for name, memory in memory_plan(DEFAULT).items():
        banks = f"{memory.banks} x " if memory.banks > 1 else ""
        rows.append(
            [
                name,
                memory.holds,
                f"{banks}{memory.words:,} x {memory.bits}",
                memory.holder or "core",
                ", ".join(memory.writers),
                ", ".join(memory.readers),
                *(f"{plan[name].total_bits / 8192:.1f}" for plan in used),
            ]
        )
    totals = (plan_bits(DEFAULT, plan) / 8192 for plan in used)
    rows.append(["total", *[""] * 5, *(f"{total:.0f}" for total in totals)])
    return _markdown(["memory", "holds", "built", "in", "written by", "read by", *DIMS], rows)


def command_table() -> str:
    """Every command: its fields, the unit that gets it, what it does."""
    rows = [
        [
            str(number),
            command.name,
            ", ".join(command.fields),
            command.unit or "",
            "follows" if command.payload else "",
            command.does,
        ]
        for number, command in enumerate(COMMANDS)
    ]
    return _markdown(["opcode", "command", "fields", "unit", "payload", "does"], rows)


def preset_table() -> str:
    """Every preset: its sizes, and the KB (1,024 bytes) of its memories."""
    sizes = ("lanes", "width", "bus_bytes", "max_tokens", "max_heads", "max_dim")
    rows = []
    for name, config in PRESETS.items():
        built = plan_bits(config, memory_plan(config)) / 8192
        rows.append([name, *(f"{getattr(config, size):,}" for size in sizes), f"{built:,.0f}"])
    return _markdown(["preset", *(f"`{size}`" for size in sizes), "KB on chip"], rows)


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    print(memory_table())
    print(preset_table())
    print(command_table())
