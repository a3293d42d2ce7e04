"""What the commands that synthesize have in common."""

from pathlib import Path
from typing import Any

from rich.console import Console

from rtl_gen.accelerator import Accelerator
from rtl_gen.commands.options import folder_of, parse_overrides
from rtl_gen.emit.files import TOP
from rtl_gen.emit.verilog import emit
from rtl_gen.files import make_folder, write_if_changed
from rtl_gen.json_file import json_text
from rtl_gen.presets import get_config
from rtl_gen.progress import status
from rtl_gen.synthesis.flow import Flow, synthesize
from rtl_gen.synthesis.show import show
from rtl_gen.synthesis.units import find, units


def synthesize_units(
    flow: Flow, preset: str, settings: list[str] | None, unit: str | None, out: Path
) -> dict[str, Any]:
    """Run the flow on a configuration, or on one unit of it; print and store the result.

    It goes to `synth.json` in a folder of the configuration below `out`. Raises UserError before
    any work for a preset, a choice or a unit that does not exist.
    """
    overrides = parse_overrides(settings)
    choice = get_config(preset, **overrides)
    console = Console()
    with status("writing the Verilog") as say:
        design = emit(Accelerator(choice), TOP)
        chosen = [find(design, unit)] if unit else units(design)
        folder = folder_of(out, preset, overrides) / (unit or ".")
        make_folder(folder)
        result = synthesize(
            flow,
            design,
            chosen,
            chosen[0].module if unit else TOP,
            folder=folder,
            progress=say,
        )
    identity = {
        "preset": preset,
        "overrides": overrides,
        "config_digest": choice.digest(),
        "unit": unit,
    }
    path = folder / "synth.json"
    write_if_changed(path, json_text(identity | result))
    show(console, result, flow.headings)
    console.print(str(path))
    return identity | result
