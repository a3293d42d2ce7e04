"""The folder of an accelerator: Verilog, and what a flow needs beside it.

| path | holds |
| --- | --- |
| `accelerator.v`, `sram.v` | the accelerator, Verilog-2005; its memories, to become macros |
| `manifest.json` | what a tool may rely on, by name (manifest.py) |
| `README.md` | the page for who integrates it |
| `accelerator.core`, `Makefile` | lint and simulation, with FuseSoC and without |
| `registers/` | SystemRDL, and what PeakRDL makes of it: C header, IP-XACT, `html/` |
| `driver/` | a driver in C99 and the header that it includes |
| `simulation/` | a testbench that checks itself, its memory, a program and what it has to store |
| `lint/`, `constraints/` | explained waivers; the clock for timing tools |

The bytes depend on the configuration and the tools' versions alone.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import CONSTANTS
from rtl_gen.emit import waivers
from rtl_gen.emit.driver import driver_values
from rtl_gen.emit.integration import constraint_values, readme_values
from rtl_gen.emit.manifest import manifest
from rtl_gen.emit.register_files import register_files
from rtl_gen.emit.simulation import Example, hex_logits, hex_words, testbench_values
from rtl_gen.emit.systemrdl import NAME, systemrdl
from rtl_gen.emit.templates import filled
from rtl_gen.emit.verilog import Design, emit
from rtl_gen.extras import DISTRIBUTION
from rtl_gen.files import check_writable, write_if_changed
from rtl_gen.presets import nearest_preset

TOP = "accelerator"


def write_rtl(
    config: AcceleratorConfig,
    folder: Path,
    example: Callable[[AcceleratorConfig], Example],
    asked: tuple[str, dict[str, int]] | None = None,
) -> list[tuple[Path, bool]]:
    """Write all files; each path, and whether the file was new or changed. The first two are
    accelerator.v and manifest.json.

    `example` makes the program of the testbench. `asked`: the preset and the choices replaced in it
    that the manifest names; by default the nearest preset and what differs from it.

    Raises:
        UserError: the folder cannot be written, which shows before any work.
    """
    preset, overrides = asked or nearest_preset(config)
    check_writable(folder / "manifest.json")
    accelerator = Accelerator(config)
    design = emit(accelerator, TOP)
    files = _files(config, design, accelerator, preset, example(config))
    description = manifest(
        design,
        preset=preset,
        overrides=overrides,
        config=config,
        registers=accelerator.registers.map.as_list(),
        files=files,
    )
    verilog = files.pop(f"{TOP}.v")
    contents = {f"{TOP}.v": verilog, "manifest.json": description, **files}
    return [
        (folder / path, write_if_changed(folder / path, content))
        for path, content in contents.items()
    ]


def _files(
    config: AcceleratorConfig,
    design: Design,
    accelerator: Accelerator,
    preset: str,
    example: Example,
) -> dict[str, str | bytes]:
    """Contents by path, but for the manifest."""
    registers = accelerator.registers.map
    made = register_files(systemrdl(registers, CONSTANTS))
    header = f"{NAME}_registers.h"
    driver = driver_values(registers)
    constraints = constraint_values(config, design)
    core = {"version": version(DISTRIBUTION), "preset": preset}
    return {
        f"{TOP}.v": design.logic,
        "sram.v": design.srams,
        "README.md": filled("README.md", readme_values(config, design, preset, registers)),
        "accelerator.core": filled("accelerator.core", core),
        "Makefile": filled("Makefile", {}),
        "lint/waivers.vlt": waivers.verilator(),
        **{f"constraints/{name}": filled(name, constraints) for name in _CONSTRAINTS},
        **{f"driver/{name}": filled(name, driver) for name in ("sparse_vit.c", "sparse_vit.h")},
        f"driver/{header}": made.pop(header),
        **{f"registers/{path}": content for path, content in made.items()},
        "simulation/testbench.v": filled(
            "testbench.v", testbench_values(config, design, registers, example)
        ),
        "simulation/axi_memory.v": filled("axi_memory.v", {}),
        "simulation/program.hex": hex_words(example.image, config.bus_bytes),
        "simulation/expected.hex": hex_logits(example),
    }


_CONSTRAINTS = ("accelerator.sdc", "accelerator.xdc")


def files_of_interest(paths: Mapping[Path, bool]) -> dict[Path, bool]:
    """Those that a command names: of the pages of registers the first one alone."""
    return {
        path: written
        for path, written in paths.items()
        if "html" not in path.parts or path.name == "index.html"
    }
