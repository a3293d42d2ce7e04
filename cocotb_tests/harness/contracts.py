"""Tests of contracts: an assertion of the RTL ends the simulation, or does not."""

from contextlib import AbstractContextManager, nullcontext

import pytest

from cocotb_tests.harness.runner import SimulationError


def stops(message: str | None) -> AbstractContextManager:
    """`with stops(message): simulate(...)` passes if the simulation stops with the message, or ends
    well if there is none.
    """
    return pytest.raises(SimulationError, match=message) if message else nullcontext()
