"""Runs of units by the benches that mirror them (`cocotb_tests/test_mirror.py` says how)."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from amaranth.lib import wiring

from cocotb_tests.harness import runner
from cocotb_tests.harness.runner import SimulationError, SimulationResult, simulate
from rtl_gen.config import AcceleratorConfig

seed_offset = 0
"""Added to the seed of every run (`pytest --seed-offset`): the same tests, on other data."""


def run_unit(
    simulator: str,
    unit: wiring.Component,
    config: AcceleratorConfig | None = None,
    *,
    bench: str | None = None,
    models: Sequence[Path] = (),
    testcase: str | None = None,
    stops: str | None = None,
    **parameters: Any,
) -> SimulationResult | None:
    """`simulate` a unit; the bench is told its configuration, if it has one, and `parameters`.

    `bench` names another one of the folder, without "bench_". With `stops` the simulation has to
    fail with this message, that of an assertion of the RTL, and there is no result.
    """
    *_, folder, name = type(unit).__module__.split(".")
    if config is not None:
        parameters["config"] = config.as_dict()
    if stops and runner.technology:
        pytest.skip("netlists have no contracts")
    if "seed" in parameters:
        parameters["seed"] += seed_offset
    with pytest.raises(SimulationError, match=stops) if stops else nullcontext():
        return simulate(
            unit,
            name=name,
            simulator=simulator,
            bench=f"cocotb_tests.{folder}.bench_{bench or name}",
            models=models,
            testcase=testcase,
            parameters=parameters,
        )
    return None
