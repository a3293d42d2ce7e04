"""What PeakRDL makes of the registers' SystemRDL: a C header, IP-XACT and pages of HTML."""

import re
import tempfile
from importlib.metadata import version
from pathlib import Path

from peakrdl_cheader.c_standards import CStandard
from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_html import HTMLExporter
from peakrdl_ipxact import IPXACTExporter
from systemrdl import RDLCompiler

from rtl_gen.emit.systemrdl import NAME
from rtl_gen.extras import DISTRIBUTION

FONTS = "fonts"
"""Folder that the pages do without: most of their bytes."""


_TIME = re.compile(rb"(BUILD_TS = |\?ts=)\d+")
"""When the pages were made, by which browsers notice new ones."""


def register_files(rdl: str) -> dict[str, bytes]:
    """Contents of every file by its path, for the text of `systemrdl`; the text is among them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / f"{NAME}.rdl"
        source.write_text(rdl)
        compiler = RDLCompiler()
        compiler.compile_file(str(source))
        top = compiler.elaborate().top
        header = folder / f"{NAME}_registers.h"
        CHeaderExporter().export(top, str(header), std=CStandard.gnu99)
        ipxact = IPXACTExporter(vendor="sparse-vit", library="ip", version=version(DISTRIBUTION))
        ipxact.export(top, str(folder / f"{NAME}.xml"))
        HTMLExporter().export(top, str(folder / "html"))
        pages = [path for path in (folder / "html").rglob("*") if path.is_file()]
        kept = [page for page in pages if _is_page(page.relative_to(folder / "html"))]
        return {
            str(path.relative_to(folder)): _TIME.sub(rb"\g<1>0", path.read_bytes())
            for path in sorted([source, header, folder / f"{NAME}.xml", *kept])
        }


def _is_page(path: Path) -> bool:
    """Of what a browser needs; launchers for browsers on Windows are left out like the fonts."""
    return FONTS not in path.parts and "launcher" not in path.as_posix()
