"""Pytest options, and the `simulator` argument: co-simulations run on Verilator and on Icarus.

Property tests draw the same examples in every run.
"""

from pathlib import Path

import hypothesis
import hypothesis.configuration
import pytest

from cocotb_tests.harness.simulators import SIMULATORS
from rtl_gen.presets import PRESETS

hypothesis.configuration.set_hypothesis_home_dir(Path(__file__).parent / "build" / "hypothesis")
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("co-simulation")
    group.addoption("--sim", choices=SIMULATORS, help="run tests on this simulator only")
    group.addoption("--preset", choices=sorted(PRESETS), help="run tests of this preset only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "simulator" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("sim")
        metafunc.parametrize("simulator", SIMULATORS if chosen is None else [chosen])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --preset, keep the tests whose parameter `preset` has that value."""
    wanted = config.getoption("preset")
    if wanted is None:
        return
    kept = [item for item in items if _preset(item) == wanted]
    config.hook.pytest_deselected(items=[item for item in items if _preset(item) != wanted])
    items[:] = kept


def _preset(item: pytest.Item) -> str | None:
    return item.callspec.params.get("preset") if hasattr(item, "callspec") else None
