"""Command-line options of the test suite."""

import pytest

from cocotb_tests.harness.simulators import SIMULATORS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sim", choices=SIMULATORS, help="run co-simulations on this simulator only")
