"""Synthesis of the samples: what the model of the area is fitted on.

For an UltraScale+ units are mapped as `synth` maps them, but in one run of Yosys, which reads its
libraries once; a few tables of a unit may differ (0.2 % of `tiny`). Standard cells are those of
`asic` with the library that it has by default.

A unit whose Verilog was mapped before, in whatever sample, is not mapped again: its row says by
which text it was. So a run that was stopped goes on, and one after a change of the hardware maps
what changed.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from rtl_gen.accelerator import Accelerator
from rtl_gen.area import measured
from rtl_gen.area.columns import HEADINGS, STANDARD_CELLS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.emit.files import TOP
from rtl_gen.emit.verilog import Design, emit, module_texts
from rtl_gen.synthesis import xilinx, yosys
from rtl_gen.synthesis.asic import AsicFlow
from rtl_gen.synthesis.liberty import DEFAULT_LIBRARY, Library
from rtl_gen.synthesis.technology import Counts
from rtl_gen.synthesis.ultrascale import ULTRASCALE
from rtl_gen.synthesis.units import Unit, units

Progress = Callable[[str], object]

_GENERATED = re.compile(r"\$\d+")


def measure(samples: Mapping[str, AcceleratorConfig], path: Path, progress: Progress) -> None:
    """Bring the file `path` up to the hardware as it is, a row a unit of every sample.

    It is written after every sample, so that a stop loses one.
    """
    before = measured.read(path) if path.exists() else []
    rows = {(row.sample, row.unit): row for row in before}
    known = {row.text: dict(row.counts) for row in before}
    current = []
    for number, (name, config) in enumerate(samples.items(), 1):
        doing = f"{name} ({number} of {len(samples)})"
        progress(f"{doing}: writing the Verilog")
        design = emit(Accelerator(config), TOP)
        texts = digests(design)
        for columns, count in _COUNTING:
            missing = [
                unit
                for unit in units(design)
                if not columns.keys() <= known.setdefault(texts[unit.name], {}).keys()
            ]
            for unit, counts in count(design, missing, _mapping(doing, progress)).items():
                known[texts[unit]].update(counts)
        for unit, text in texts.items():
            rows[name, unit] = measured.Row(name, config, unit, text, known[text])
            current.append((name, unit))
        measured.write(path, rows.values(), list(HEADINGS))
    measured.write(path, [rows[key] for key in current], list(HEADINGS))


def _mapping(doing: str, progress: Progress) -> Progress:
    return lambda what: progress(f"{doing}: mapping {what}")


def _on_ultrascale(design: Design, chosen: Sequence[Unit], progress: Progress) -> dict[str, Counts]:
    """Cells of these units, all in one run of the tool."""
    if not chosen:
        return {}
    progress(f"{', '.join(unit.name for unit in chosen)} for an UltraScale+")
    apart = {unit.module for unit in units(design) if unit in chosen or unit.without}
    others = {module for unit in units(design) for module in unit.without} - apart
    cells = yosys.map_apart(
        design.text, design.name, xilinx.COMMAND, sorted(apart), without=sorted(others)
    )
    return {unit.name: ULTRASCALE.count(cells[unit.module]) for unit in chosen}


def _in_standard_cells(
    design: Design, chosen: Sequence[Unit], progress: Progress
) -> dict[str, Counts]:
    """Gates and memories of these units, one after the other."""
    flow = AsicFlow(library=Library([DEFAULT_LIBRARY]))
    found = {}
    for unit in chosen:
        progress(f"{unit.name} to gates")
        counts = flow.count(design, unit)
        found[unit.name] = {column: counts[column] for column in STANDARD_CELLS}
    return found


_COUNTING = ((ULTRASCALE.headings, _on_ultrascale), (STANDARD_CELLS, _in_standard_cells))
"""Columns, and what counts them."""


def digests(design: Design) -> dict[str, str]:
    """By unit: of all that its cells depend on, the Verilog of the unit and the tool."""
    texts = module_texts(design.text)
    return {unit.name: _digest(design, texts, unit) for unit in units(design)}


def _digest(design: Design, texts: Mapping[str, str], unit: Unit) -> str:
    found: dict[str, str] = {}

    def collect(module: str) -> None:
        if module in found or module in unit.without:
            return
        found[module] = texts[module]
        if contents := design.modules.get(module):
            for child in (*contents.instances.values(), *contents.srams):
                collect(child)

    collect(unit.module)
    text = _renumbered("\n".join(found[name] for name in sorted(found)))
    return hashlib.sha256(f"{version('pyosys')}\n{text}".encode()).hexdigest()[:16]


def _renumbered(text: str) -> str:
    """Generated names count through the whole design; here from the unit's first one on."""
    numbers: dict[str, str] = {}
    return _GENERATED.sub(lambda name: numbers.setdefault(name[0], f"${len(numbers)}"), text)
