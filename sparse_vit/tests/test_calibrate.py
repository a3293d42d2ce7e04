"""Calibration in small, and that it fails when the model is off."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from rtl_gen.accelerator import Accelerator
from sparse_vit.calibration.cases import LANES, WIDTHS, draw_cases, draw_configs, quick_configs
from sparse_vit.calibration.results import STALL_TOLERANCE, Result, report

CASE = {"name": "a", "kind": "network", "config": "c", "stall": 0.0}
COUNTERS = dict.fromkeys(Accelerator.COUNTERS, 1000)


def test_model_equals_rtl(tmp_path):
    command = [sys.executable, "-m", "sparse_vit", "calibrate", "--quick", "--seed", "3"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "report.json").read_text())
    predicted = json.loads((tmp_path / "predictions.json").read_text())
    assert found["failed"] == 0
    assert found["fixed_memory"]["largest_relative_error"] == 0
    assert found["random_stall"]["cases"] == 1
    assert {case["configuration"]["cores"] for case in found["results"]} == {1}
    assert [case["counters"] for case in predicted] == [case["model"] for case in found["results"]]


@pytest.mark.parametrize("counter", Accelerator.COUNTERS)
def test_any_counter_that_is_off_fails(counter):
    off = Result(CASE, {**COUNTERS, counter: 1001}, COUNTERS)
    assert not off.passed
    assert off.off == {counter: 1}
    right = Result(CASE, COUNTERS, COUNTERS)
    assert right.passed
    found = report([right, off], seed=0)
    assert found["failed"] == 1
    assert found["by_counter"][counter] == {"rtl": 2000, "model": 2001, "largest_error": 1}


def test_stalls_may_err_a_little():
    stalling, within = {**CASE, "stall": 0.1}, round(1000 * STALL_TOLERANCE)
    for error, passed in ((within, True), (-within, True), (within + 1, False)):
        model = {**COUNTERS, "cycles": 1000 + error}
        assert Result(stalling, model, COUNTERS).passed == passed


def test_four_configurations_cover_lanes_and_widths():
    for seed in range(5):
        configs = draw_configs(seed, 4)
        assert {config.lanes for config in configs} == set(LANES)
        assert {config.width for config in configs} == set(WIDTHS)
    assert draw_configs(1, 4) == draw_configs(1, 4) != draw_configs(2, 4)


def test_cores_are_drawn_or_given():
    """Those that are drawn do not make large arrays larger; all else is as it is drawn."""
    drawn = draw_configs(0, 8) + draw_configs(1, 8)
    assert {config.cores for config in drawn} == {1, 2, 4}
    assert all(config.cores == 1 or config.cores * config.macs <= 256 for config in drawn)
    given = draw_configs(0, 8, cores=8) + draw_configs(1, 8, cores=8)
    assert [replace(config, cores=8) for config in drawn] == given


def test_cases_are_those_of_the_seed():
    config = quick_configs()[0]
    first, again, other = (list(draw_cases(config, seed, 9)) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        assert (one.image.data == two.image.data).all()
        assert one.memory == two.memory
    assert any(a.memory != b.memory for a, b in zip(first, other, strict=True))
