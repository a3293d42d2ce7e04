"""OpenSTA: the longest path of a netlist of library cells. Debian's package `opensta` has it."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rtl_gen.errors import UserError
from rtl_gen.synthesis.timing import Timing

NETLIST = "netlist.v"
CONSTRAINTS = "netlist.sdc"
REPORT = "timing.txt"


def longest_path(
    folder: Path, top: str, *, libraries: Sequence[str], constraints: str
) -> Timing | None:
    """Of module `top` in NETLIST of the folder, where the libraries are, too.

    Leaves CONSTRAINTS and REPORT beside it. The frequency is that at which the path would just be
    fast enough; None: there is no path between registers.

    Raises UserError without OpenSTA, RuntimeError with its output if it fails.
    """
    (folder / CONSTRAINTS).write_text(constraints)
    commands = [
        *(f"read_liberty {library}" for library in libraries),
        "set_cmd_units -time ns",
        f"read_verilog {NETLIST}",
        f"link_design {top}",
        f"read_sdc {CONSTRAINTS}",
        "report_checks -path_delay max -format full -digits 4",
    ]
    (folder / "sta.tcl").write_text("\n".join(commands) + "\n")
    run = subprocess.run(
        [program(), "-no_init", "-no_splash", "-exit", "sta.tcl"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / "sta.tcl").unlink()
    (folder / REPORT).write_text(run.stdout)
    if run.returncode or re.search("^Error", run.stdout, re.M):
        raise RuntimeError(f"OpenSTA failed on {folder}:\n{run.stdout[-4000:]}")
    return parse_report(run.stdout) if "slack" in run.stdout else None


def program() -> str:
    """Raises UserError if OpenSTA is not installed."""
    found = shutil.which("sta")
    if not found:
        raise UserError("OpenSTA (sta) is missing: install Debian's package opensta")
    return found


def tool_version() -> str:
    """Of OpenSTA."""
    return subprocess.run(
        [program(), "-version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def parse_report(report: str) -> Timing:
    """From the path that `report_checks` prints, which begins and ends at edges of `clk`."""
    start, end = (
        signal_name(re.search(rf"^{point}: (\S+)", report, re.M)[1])
        for point in ("Startpoint", "Endpoint")
    )
    arrival, required = (
        float(re.search(rf"^ +(-?[\d.]+) +data {which} time", report, re.M)[1])
        for which in ("arrival", "required")
    )
    _, period = re.findall(r"([\d.]+) +clock clk \(rise edge\)", report)
    needed = float(period) - required + arrival
    outputs = re.findall(r" [v^] (\S+)/\S+ \(", report.partition("data arrival time")[0])
    return Timing(
        frequency_mhz=round(1000 / needed, 1),
        from_register=start,
        to_register=end,
        logic_levels=sum("_DFF" not in output for output in outputs),
        logic_ns=round(needed, 3),
        routing_ns=0.0,
    )


def signal_name(point: str) -> str:
    """Hierarchical name of the signal after which a register is called, or of a memory's port."""
    plain = point.replace("\\", "").removeprefix("design.")
    return re.split(r"\$_|\[\d+\]$", plain)[0].split("[")[0]
