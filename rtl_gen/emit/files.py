"""The files of an accelerator: accelerator.v and manifest.json."""

from pathlib import Path

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig, nearest_preset
from rtl_gen.emit.manifest import manifest
from rtl_gen.emit.verilog import emit
from rtl_gen.files import check_writable, write_if_changed

TOP = "accelerator"


def write_rtl(
    config: AcceleratorConfig,
    folder: Path,
    asked: tuple[str, dict[str, int]] | None = None,
) -> list[tuple[Path, bool]]:
    """Write both files; each path, and whether the file was new or changed.

    `asked`: the preset and the choices replaced in it that the manifest names; by default the
    nearest preset and what differs from it.

    Raises:
        UserError: the folder cannot be written, which shows before any work.
    """
    preset, overrides = asked or nearest_preset(config)
    check_writable(folder / "manifest.json")
    accelerator = Accelerator(config)
    design = emit(accelerator, TOP)
    description = manifest(
        design,
        preset=preset,
        overrides=overrides,
        config=config,
        registers=accelerator.registers.map.as_list(),
    )
    return [
        (path, write_if_changed(path, content))
        for path, content in (
            (folder / f"{TOP}.v", design.text),
            (folder / "manifest.json", description),
        )
    ]
