"""Tables of the documents that follow from measurements, each between two comments in its page.

<!-- table: speedup -->
<!-- end of table -->
"""

import re
from collections.abc import Callable

from rtl_gen.synthesis.xilinx import XILINX
from scripts.documents import accuracy_tables, cycle_tables
from scripts.documents.cells import NETWORKS, select
from scripts.documents.markdown import table
from scripts.documents.measurements import CELLS, GATES, MEASUREMENTS, XILINX_CELLS

ZU9EG = XILINX.parts["zu9eg"]

_PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->\n)", re.DOTALL)


def rewritten(page: str) -> str:
    """A page with all its tables made anew."""

    def fill(place: re.Match) -> str:
        return f"{place[1]}\n{TABLES[place[2]]()}\n{place[3]}"

    return _PLACE.sub(fill, page)


def _synthesis() -> str:
    totals = MEASUREMENTS["synthesis"].rows().groupby("preset", sort=False)[list(CELLS)].sum()
    rows = ([preset, *(f"{cell:,}" for cell in cells)] for preset, cells in totals.iterrows())
    return table(["preset", *CELLS.values()], rows)


def _units(preset: str) -> str:
    of = select("synthesis", preset=preset).set_index("unit")[list(CELLS)]
    of.loc["**total**"] = of.sum()
    rows = ([unit, *(f"{cell:,}" for cell in cells)] for unit, cells in of.iterrows())
    return table(["unit", *CELLS.values()], rows)


def _xilinx() -> str:
    """Sums by preset, and what they are of a ZCU102's part."""
    known = MEASUREMENTS["synthesis-xilinx"].rows()
    totals = known.groupby("preset", sort=False)[list(XILINX_CELLS)].sum()
    rows = (
        [
            preset,
            *(
                f"{cells[column]:,g} ({100 * cells[column] / ZU9EG[column]:.1f} %)"
                for column in XILINX_CELLS
            ),
        ]
        for preset, cells in totals.iterrows()
    )
    return table(["preset", *XILINX_CELLS.values()], rows)


def _asic(device: str, preset: str) -> str:
    of = select("asic", device=device, preset=preset).fillna("")
    rows = (
        [
            row["unit"],
            *(f"{row[column]:,.0f}" for column in GATES),
            f"{row['frequency_mhz']:,.0f}" if row["frequency_mhz"] else "",
            f"`{row['from_register']}` to `{row['to_register']}`" if row["to_register"] else "",
        ]
        for _, row in of.iterrows()
    )
    return table(["unit", *GATES.values(), "MHz", "longest path"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "speedup": lambda: cycle_tables.speedup(NETWORKS, "default"),
    "speedup-384": lambda: cycle_tables.speedup(cycle_tables.AT_384, "large"),
    "readings": cycle_tables.readings,
    "breakdown": cycle_tables.breakdown,
    "utilisation": cycle_tables.utilisation,
    "balance": cycle_tables.balance,
    "runs": cycle_tables.runs,
    "cores": cycle_tables.cores,
    "any-network": cycle_tables.any_network,
    "headline": accuracy_tables.headline,
    "accuracy": lambda: accuracy_tables.accuracy(pruned=False),
    "accuracy-pruned": lambda: accuracy_tables.accuracy(pruned=True),
    "int8": accuracy_tables.int8,
    "digits": accuracy_tables.digits,
    "layers": cycle_tables.layers,
    "calibration": cycle_tables.calibration,
    "bench": cycle_tables.bench,
    "synthesis": _synthesis,
    "units-small": lambda: _units("small"),
    "units-default": lambda: _units("default"),
    "xilinx": _xilinx,
    "asic-180-small": lambda: _asic("osu018", "small"),
    "asic-7-small": lambda: _asic("asap7sc7p5t", "small"),
}
"""By the name in the comment."""
