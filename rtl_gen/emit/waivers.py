"""Warnings of linters that stand, each with its reason. All others are defects of the Verilog."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Waiver:
    """A rule of a tool that is not asked for, and why."""

    tool: str
    rule: str
    reason: str


WAIVERS = (
    Waiver(
        "verilator",
        "UNUSEDSIGNAL",
        "a sum is as wide as its result can be, a record is passed on whole: synthesis drops the "
        "bits that nobody reads",
    ),
    Waiver(
        "verilator",
        "WIDTHEXPAND",
        "an operand narrower than its result is extended as Verilog defines it; none is cut off",
    ),
    Waiver("verilator", "DECLFILENAME", "two files hold all modules"),
    Waiver("verible", "line-length", "port lists and expressions of Yosys stand on one line"),
    Waiver("verible", "module-filename", "two files hold all modules"),
    Waiver(
        "verible",
        "unpacked-dimensions-range-ordering",
        "the order of a memory's words in a declaration means nothing",
    ),
)


def verilator() -> str:
    """Configuration file of Verilator that waives its rules."""
    lines = [
        f'// {waiver.reason}\nlint_off -rule {waiver.rule} -file "*{file}"\n'
        for waiver in WAIVERS
        if waiver.tool == "verilator"
        for file in ("accelerator.v", "sram.v")
    ]
    return "`verilator_config\n" + "".join(lines)


def verible() -> str:
    """Value of Verible's option --rules that waives its rules."""
    return ",".join(f"-{waiver.rule}" for waiver in WAIVERS if waiver.tool == "verible")
