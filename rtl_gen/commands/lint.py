"""What linters say of the Verilog of a configuration."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rtl_gen.accelerator import Accelerator
from rtl_gen.commands.options import Config, Overrides, folder_of, parse_overrides
from rtl_gen.emit.verilog import emit
from rtl_gen.emit.waivers import WAIVERS
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable, write_if_changed
from rtl_gen.json_file import json_text
from rtl_gen.lint.tools import FILES, TOOLS, TOP, require_tools
from rtl_gen.presets import get_config
from rtl_gen.progress import status


def lint_rtl(
    *,
    config: Config = "small",
    set_: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a configuration.")] = Path(
        "build/lint"
    ),
) -> None:
    """Ask Verilator, Icarus Verilog, Yosys, slang and Verible; lint.json gets their warnings."""
    overrides = parse_overrides(set_)
    choice = get_config(config, **overrides)
    folder = folder_of(out, config, overrides)
    report = folder / "lint.json"
    check_writable(report)
    require_tools()
    console = Console()
    warnings = {}
    with status("writing the Verilog") as say:
        design = emit(Accelerator(choice), TOP)
        for name, text in zip(FILES, (design.logic, design.srams), strict=True):
            write_if_changed(folder / name, text)
        for tool, ask in TOOLS.items():
            say(f"asking {tool}")
            warnings[tool] = ask(folder)
    write_if_changed(report, json_text(warnings))
    table = Table("tool", "warnings", "waived", title=f"Linters of {config}")
    for tool, lines in warnings.items():
        waived = [waiver.rule for waiver in WAIVERS if waiver.tool == tool]
        table.add_row(tool, str(len(lines)), ", ".join(waived))
    console.print(table)
    console.print(str(report))
    first = next((line for lines in warnings.values() for line in lines), None)
    if first is not None:
        raise UserError(f"{first}; all warnings are in {report}")
