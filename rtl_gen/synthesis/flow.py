"""`synth` and `asic`: what an accelerator costs in a technology, and how fast it is there.

Every unit is mapped on its own; the flow says whether it is also timed, alone or as a part of the
whole. The result is one JSON-like dictionary, the same for all flows:

| key | contents |
| --- | --- |
| `flow`, `device` | `ecp5`, `xilinx` or `asic`; the part or the library |
| `options` | what the flow was asked for, such as seed and target |
| `tools` | versions |
| `units` | for each unit its cells, in all cores: a number a column |
| `units_timed` | for each unit that was timed on its own: the fields of `Timing` |
| `total` | sum of the units' cells |
| `needed` | of what the device has: [needed, available] |
| `whole` | null, or the fields of `Timing` |
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from rtl_gen.emit.verilog import Design
from rtl_gen.synthesis.technology import Counts, add, shortage
from rtl_gen.synthesis.timing import Timing
from rtl_gen.synthesis.units import Unit


class Flow(Protocol):
    """One technology with its tools."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def headings(self) -> Mapping[str, str]:
        """What the columns of `Counts` are called."""

    @property
    def options(self) -> dict: ...

    @property
    def tools(self) -> dict[str, str]: ...

    def needed(self, counts: Counts) -> dict[str, tuple[float, int]]:
        """Of what the device has: needed and available number by name."""

    def unit(
        self, design: Design, unit: Unit, folder: Path, progress: Callable[[str], None]
    ) -> tuple[Counts, Timing | None]:
        """Cells of a unit, and its timing if the flow times it alone. `folder` gets its files."""

    def whole(
        self,
        design: Design,
        module: str,
        counts: Counts,
        folder: Path,
        progress: Callable[[str], None],
    ) -> Timing | None:
        """Timing of a module as a whole, if the flow has that.

        Its cells `counts` fit the device.
        """


def synthesize(
    flow: Flow,
    design: Design,
    units: list[Unit],
    whole: str,
    *,
    folder: Path,
    progress: Callable[[str], None],
) -> dict:
    """The result for `units` of the design, and for module `whole` if they fit the device.

    `folder` gets the files of the whole, one folder below it those of each unit. `progress` is told
    what is being done.
    """
    counted: dict[str, Counts] = {}
    timed: dict[str, Timing] = {}
    for index, unit in enumerate(units):
        doing = f"{unit.name} ({index + 1} of {len(units)})"
        counts, timing = flow.unit(
            design, unit, folder / unit.name, lambda text, doing=doing: progress(f"{doing}: {text}")
        )
        counted[unit.name] = {column: unit.copies * number for column, number in counts.items()}
        if timing:
            timed[unit.name] = timing
    total = add(list(counted.values()), flow.headings)
    needed = flow.needed(total)
    timing = None
    if not shortage(needed):
        timing = flow.whole(
            design, whole, total, folder, lambda text: progress(f"the whole: {text}")
        )
    return {
        "flow": flow.name,
        "device": flow.device,
        "options": flow.options,
        "tools": flow.tools,
        "units": counted,
        "units_timed": {name: dataclasses.asdict(one) for name, one in timed.items()},
        "total": total,
        "needed": {name: list(numbers) for name, numbers in needed.items()},
        "whole": dataclasses.asdict(timing) if timing else None,
    }
