"""What is counted of a configuration: cells of an UltraScale+, and standard cells.

| column | contents |
| --- | --- |
| `luts`, `flip_flops`, `dsps`, `block_rams` | of an UltraScale+ |
| `gates` | area of standard cells without memories, in gate equivalents (GE): NANDs of two inputs |
| `sram_bits` | of the memories beside these gates, which are a compiler's |

Gates are those of a library of 180 nm; two others, of 130 and 7 nm, take a fifth more equivalents.
"""

from collections.abc import Mapping

from rtl_gen.synthesis.ultrascale import ULTRASCALE

STANDARD_CELLS: Mapping[str, str] = {"gates": "GE", "sram_bits": "SRAM, bits"}
"""Headings."""

HEADINGS: Mapping[str, str] = {**ULTRASCALE.headings, **STANDARD_CELLS}
"""Of all columns."""
