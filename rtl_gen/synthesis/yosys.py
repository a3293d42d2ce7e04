"""Yosys: from Verilog to the cells of programmable logic."""

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rtl_gen.emit.yosys import run_yosys


def map_cells(
    verilog: str,
    top: str,
    command: str,
    *,
    without: Sequence[str] = (),
    netlist: Path | None = None,
) -> dict[str, int]:
    """Number of cells of each type in module `top` of the text `verilog` after `command`, which
    takes -top and -json as those of Yosys for programmable logic do.

    The modules `without` are left out, as if they stood elsewhere on the device. `netlist` gets the
    mapped design. Raises RuntimeError with the log of Yosys if that fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "design.sv").write_text(without_brackets(verilog))
        output = f"-json {netlist.resolve()}" if netlist else ""
        commands = (
            "read_verilog -sv -noassert design.sv",
            *(f"blackbox {module}" for module in without),
            f"{command} -top {top} {output}",
            "tee -q -o cells.json stat -json",
        )
        run_yosys(top, commands, folder)
        statistics = json.loads((folder / "cells.json").read_text())
    return statistics["design"]["num_cells_by_type"]


def without_brackets(verilog: str) -> str:
    """Names with dots: ABC9 takes signal `a[0][1]` for bit 1 of signal `a[0]`."""
    return re.sub(
        r"\\\S+",
        lambda name: name[0].replace("][", ".").replace("[", ".").replace("]", ""),
        verilog,
    )
