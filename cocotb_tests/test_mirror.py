"""Benches mirror units: rtl_gen/<folder>/<unit>.py has cocotb_tests/<folder>/bench_<unit>.py.

The core, the cluster and the top are what whole programs run on, in cocotb_tests/network.
"""

import importlib
import pkgutil
from pathlib import Path

from amaranth.lib import wiring

import rtl_gen

WHOLE = {"accelerator", "core.cluster", "core.core"}


def units() -> list[str]:
    """Modules of rtl_gen that define a component."""
    names = (m.name for m in pkgutil.walk_packages(rtl_gen.__path__, "rtl_gen."))
    modules = map(importlib.import_module, (n for n in names if "test_" not in n and "__" not in n))
    return [
        module.__name__.removeprefix("rtl_gen.")
        for module in modules
        if any(
            isinstance(item, type)
            and issubclass(item, wiring.Component)
            and item.__module__ == module.__name__
            for item in vars(module).values()
        )
    ]


def test_every_unit_has_a_bench():
    found = units()
    assert len(found) > 40
    assert set(found) >= WHOLE
    lacking = []
    for unit in set(found) - WHOLE:
        *folder, name = unit.split(".")
        if not Path(__file__).parent.joinpath(*folder, f"bench_{name}.py").exists():
            lacking.append(unit)
    assert not lacking
