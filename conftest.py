"""Pytest options, the fixture `command`, and the argument `simulator`: co-simulations run on
Verilator and on Icarus.

Tests that are marked as long run with --long alone.

Property tests draw the same examples in every run.
"""

import os
from pathlib import Path

import hypothesis
import hypothesis.configuration
import pytest

from cocotb_tests.harness import runner, units
from cocotb_tests.harness.simulators import SIMULATORS
from rtl_gen.presets import PRESETS
from rtl_gen.synthesis.gates import TECHNOLOGIES
from sparse_vit.command_line import main

hypothesis.configuration.set_hypothesis_home_dir(Path(__file__).parent / "build" / "hypothesis")
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("co-simulation")
    group.addoption("--sim", choices=SIMULATORS, help="run tests on this simulator only")
    group.addoption("--preset", choices=sorted(PRESETS), help="run tests of this preset only")
    group.addoption("--cores", type=int, help="run tests of several cores only, on so many")
    group.addoption("--gates", choices=TECHNOLOGIES, help="simulate netlists of cells of it")
    group.addoption("--coverage", type=Path, help="count what Verilator covers, into this folder")
    group.addoption("--seed-offset", type=int, default=0, help="other data for tests of units")
    group.addoption("--long", action="store_true", help="run tests marked as long, too")
    group.addoption("--limit-cycles", type=int, help="a program that takes more fails")


def pytest_configure(config: pytest.Config) -> None:
    # Tests run side by side: threads of NumPy and PyTorch would fight for the same cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    units.seed_offset = config.getoption("seed_offset")
    runner.technology = config.getoption("gates")
    if limit := config.getoption("limit_cycles"):
        from cocotb_tests.network import run

        run.LIMIT_CYCLES = limit
    if folder := config.getoption("coverage"):
        if config.getoption("sim") == "icarus" or runner.technology:
            raise pytest.UsageError("--coverage counts what Verilator does, on no netlists")
        from cocotb_tests.coverage.collector import Collector

        runner.coverage = Collector(folder.resolve())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "simulator" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("sim")
        if metafunc.config.getoption("coverage"):
            chosen = "verilator"
        metafunc.parametrize("simulator", SIMULATORS if chosen is None else [chosen])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --preset or --cores, keep the tests whose parameter of that name has that value; without
    --long, those that are not marked as long.
    """
    wanted = {
        name: config.getoption(name)
        for name in ("preset", "cores")
        if config.getoption(name) is not None
    }
    long = config.getoption("long")
    kept, left_out = [], []
    for item in items:
        runs = _has(item, wanted) and (long or not _is_long(item))
        (kept if runs else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.fixture
def command():
    """Run the command line in this process and return its exit status."""

    def call(*words: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main(*map(str, words))
        return ended.value.code or 0

    return call


def _is_long(item: pytest.Item) -> bool:
    simulator = _parameters(item).get("simulator")
    return any(simulator in (mark.args or [simulator]) for mark in item.iter_markers("long"))


def _has(item: pytest.Item, wanted: dict[str, object]) -> bool:
    return all(_parameters(item).get(name) == value for name, value in wanted.items())


def _parameters(item: pytest.Item) -> dict[str, object]:
    return item.callspec.params if hasattr(item, "callspec") else {}
