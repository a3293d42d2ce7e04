"""Tables of the documents that follow from measurements, each between two comments in its page.

<!-- table: speedup -->
<!-- end of table -->
"""

import re
from collections.abc import Callable

import pandas as pd

from scripts.documents import accuracy_tables, area_tables, core_tables, cycle_tables
from scripts.documents.cells import NETWORKS, select
from scripts.documents.markdown import table
from scripts.documents.measurements import CELLS, GATES, MEASUREMENTS
from scripts.documents.peers import peers

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


SLOWEST = 5
"""Units of a library in the table of standard cells; the measurement has all."""


def _asic() -> str:
    rows = []
    for (device, preset), units in MEASUREMENTS["asic"].rows().groupby(["device", "preset"]):
        slowest = units.sort_values("frequency_mhz")[:SLOWEST]
        for _, row in slowest.iterrows():
            path = f"`{row['from_register']}` to `{row['to_register']}`"
            rows.append([f"{device}, {preset}", f"`{row['unit']}`", *_asic_cells(row), path])
        total = units[[*GATES]].sum()
        total["frequency_mhz"] = units["frequency_mhz"].min()
        name = f"**all {len(units)}**"
        rows.append([f"{device}, {preset}", name, *_asic_cells(total), "the slowest"])
    return table(["library, preset", "unit", *GATES.values(), "MHz", "longest path"], rows)


def _asic_cells(row: pd.Series) -> list[str]:
    return [f"{row[column]:,.0f}" for column in (*GATES, "frequency_mhz")]


TABLES: dict[str, Callable[[], str]] = {
    "speedup": lambda: cycle_tables.speedup(NETWORKS, "default"),
    "speedup-384": lambda: cycle_tables.speedup(cycle_tables.AT_384, "large"),
    "readings": cycle_tables.readings,
    "breakdown": cycle_tables.breakdown,
    "utilisation": cycle_tables.utilisation,
    "balance": cycle_tables.balance,
    "balance-rtl": cycle_tables.balanced_in_rtl,
    "runs": cycle_tables.runs,
    "cores": core_tables.cores,
    "cores-384": core_tables.cores_at_384,
    "peers": peers,
    "cores-rtl": core_tables.cores_in_rtl,
    "any-network": cycle_tables.any_network,
    "headline": accuracy_tables.headline,
    "accuracy": lambda: accuracy_tables.accuracy(pruned=False),
    "accuracy-pruned": lambda: accuracy_tables.accuracy(pruned=True),
    "recovered": accuracy_tables.recovered,
    "accuracy-balanced": accuracy_tables.balanced,
    "int8": accuracy_tables.int8,
    "digits": accuracy_tables.digits,
    "layers": cycle_tables.layers,
    "calibration": cycle_tables.calibration,
    "bench": cycle_tables.bench,
    "synthesis": _synthesis,
    "units-small": lambda: _units("small"),
    "units-default": lambda: _units("default"),
    "area": area_tables.errors,
    "area-presets": area_tables.presets,
    "area-shares": area_tables.shares,
    "asic": _asic,
}
"""By the name in the comment."""
