"""The sweep's files and the errors of its command."""

import csv
import json
import subprocess
import sys

import pytest

from model.networks import DEIT_TINY
from model.schedule import READINGS
from rtl_gen.config import get_config
from sim_models import sweep
from sim_models.network import NetworkCycles


@pytest.fixture(scope="module")
def tiny_sweep():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "NETWORKS", {DEIT_TINY.name: DEIT_TINY})
        patch.setattr(sweep, "SPARSITIES", (0.5, 0.8))
        finished = []
        result = sweep.run_sweep(get_config("default"), progress=finished.append)
        assert sum(finished) == sweep.count_points() == len(result.points)
        yield result


def test_speedup_is_the_ratio_of_both_runs(tiny_sweep, tmp_path):
    sweep.write(tiny_sweep, tmp_path)
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = {(row["variant"], row["sparsity"]): row for row in csv.DictReader(file)}
    summary = json.loads((tmp_path / "sweep.json").read_text())
    assert summary["config_digest"] == get_config("default").digest()
    assert summary["seed"] == 0
    speedups = []
    for entry in summary["speedups"]:
        key = str(entry["sparsity"])
        sparse, pruned = rows["sparse", key], rows[f"sparse+{summary['default_reading']}", key]
        total = "total_cycles"
        assert entry["speedup"] == int(sparse[total]) / int(pruned[total])
        speedups.append(entry["speedup"])
    assert summary["mean_speedup"] == pytest.approx(sum(speedups) / 2)
    assert summary["mean_speedup_by_reading"].keys() == READINGS.keys()


def test_operations_add_up(tiny_sweep, tmp_path):
    sweep.write(tiny_sweep, tmp_path)
    summary = json.loads((tmp_path / "sweep.json").read_text())
    assert summary["memory"] == {"latency": 100, "rate": 64}
    operations = [f"{name}_cycles" for name in NetworkCycles().operations()]
    for point in summary["points"]:
        assert point["attention_maps"] == (None if point["variant"] == "dense" else "measured")
        assert sum(point[name] for name in operations) == point["total_cycles"]


def test_figure_is_the_same_each_time(tiny_sweep, tmp_path):
    first, again = (sweep.write(tiny_sweep, tmp_path / name)[-1] for name in "ab")
    assert first.read_bytes().startswith(b"\x89PNG")
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "tiny"], "error: deit_tiny needs max_tokens = 197"),
        (["--config", "huge"], "error: unknown preset 'huge'"),
        (["--latency", "1"], "error: memory latency 1: expected at least 2"),
        (["--rate", "0"], "error: memory rate 0: expected at least 1"),
        (["--out", __file__], "error: cannot write to"),
    ],
)
def test_bad_input_is_one_line_and_no_file(tmp_path, arguments, message):
    command = [sys.executable, "-m", "sim_models", "sweep", "--out", str(tmp_path / "sweep")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "sweep").exists()
