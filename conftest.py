"""Pytest options, and the `simulator` fixture: co-simulations run on Verilator and on Icarus Verilog."""

import pytest

from cocotb_tests.harness.simulators import SIMULATORS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sim", choices=SIMULATORS, help="run co-simulations on this simulator only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "simulator" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("sim")
        metafunc.parametrize("simulator", SIMULATORS if chosen is None else [chosen])
