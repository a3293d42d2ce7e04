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
    in_logic: Sequence[str] = (),
    netlist: Path | None = None,
) -> dict[str, int]:
    """Number of cells of each type in module `top` of the text `verilog` after `command`, which
    takes -top and -json as those of Yosys for programmable logic do.

    The modules `without` are left out, as if they stood elsewhere on the device. Multiplications of
    the modules `in_logic` are built of tables, by Booth's recoding, and take no multipliers.
    `netlist` gets the mapped design. Raises RuntimeError with the log of Yosys if that fails.
    """
    output = f"-json {netlist.resolve()}" if netlist else ""
    booth = [f"booth \\{module}" for module in in_logic]
    first = ["proc", "opt_expr", "opt_clean", "wreduce", "peepopt", *booth] if booth else []
    mapped = _map(verilog, top, f"{command} {output}", without, first)
    return mapped["design"]["num_cells_by_type"]


def map_apart(
    verilog: str, top: str, command: str, modules: Sequence[str], *, without: Sequence[str] = ()
) -> dict[str, dict[str, int]]:
    """The same for several `modules` below `top` at once, each mapped for itself: its cells, those
    of other modules of the list left out. Libraries are read once, not once a module.
    """
    names = " ".join("\\" + name for name in modules)
    apart = f"setattr -mod -set keep_hierarchy 1 {names}"
    mapped = _map(verilog, top, command, without, first=(apart,))["modules"]
    return {name: mapped["\\" + name].get("num_cells_by_type", {}) for name in modules}


def _map(
    verilog: str, top: str, command: str, without: Sequence[str], first: Sequence[str] = ()
) -> dict:
    """Statistics of Yosys; commands `first` come before all others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "design.sv").write_text(without_brackets(verilog))
        commands = (
            "read_verilog -sv -noassert design.sv",
            *first,
            *(f"blackbox {module}" for module in without),
            f"{command} -top {top}",
            "tee -q -o cells.json stat -json",
        )
        run_yosys(top, commands, folder)
        return json.loads((folder / "cells.json").read_text())


def without_brackets(verilog: str) -> str:
    """Names with dots: ABC9 takes signal `a[0][1]` for bit 1 of signal `a[0]`."""
    return re.sub(
        r"\\\S+",
        lambda name: name[0].replace("][", ".").replace("[", ".").replace("]", ""),
        verilog,
    )
