"""Running a sweep: rows, baselines, files, and going on after a stop."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from model.attention.synthetic import maps_of
from model.masks.strategies import LEARNED, make_masks
from model.masks.vitcod_file import write_masks
from model.network.names import ASSETS, DEIT_TINY, VIT_DIGITS
from model.pruning.schedule import DEFAULT_SCHEDULE
from rtl_gen.area.model import predict
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config
from sim_models.network import assumed_live, network_cycles
from sim_models.sweeps.energy import energy_table
from sim_models.sweeps.files import write_sweep
from sim_models.sweeps.point import evaluate
from sim_models.sweeps.run import run_points
from sim_models.sweeps.spec import SweepSpec

SMALL = {"networks": ["vit_digits"], "presets": ["small"]}
CONFIG = get_config("small")

# Workers are forked, which later Pythons warn of where a library has threads of its own.
pytestmark = pytest.mark.filterwarnings("ignore:This process .*fork:DeprecationWarning")


def grid(folder: Path = Path(), **choices):
    return SweepSpec.model_validate(SMALL | choices).points(folder)


def run(points, folder: Path, **options):
    return run_points(points, energy_table(), folder / "finished.jsonl", **options)


def test_learned_masks():
    """DeiT-Tiny's own scores against ViTCoD's rule, in cycles and in the key."""
    spec = {"networks": "deit_tiny", "sparsities": 0.8, "strategies": ["vitcod", LEARNED]}
    points = SweepSpec.model_validate(spec).points()
    levels = np.load(ASSETS / "deit_tiny-scores.npz")["levels"]
    masks = make_masks(maps_of(DEIT_TINY).maps, 0.8, LEARNED, levels / 32, prefix=1)
    own = network_cycles(get_config("default"), DEIT_TINY, masks=masks)
    found = [evaluate(point)["results"] for point in points]
    assert found[1]["total_cycles"] == own.total != found[0]["total_cycles"]
    assert found[1]["kept_fraction"] == pytest.approx(0.2, abs=1e-5)
    assert points[0].key() != points[1].key()


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """Pruned points alone: their baselines are not in the grid."""
    folder = tmp_path_factory.mktemp("pruned")
    points = grid(sparsities=[0, 0.8], pruning="original-after-attention")
    return points, folder, run(points, folder)


def test_row_is_what_the_cycle_model_says(pruned):
    maps = maps_of(VIT_DIGITS).maps
    masks = make_masks(maps, 0.8, prefix=1)
    schedule = DEFAULT_SCHEDULE.fitted(VIT_DIGITS)
    live = assumed_live(VIT_DIGITS, maps, masks, schedule)
    own = network_cycles(CONFIG, VIT_DIGITS, masks=masks, schedule=schedule, live=live)
    sparse = network_cycles(CONFIG, VIT_DIGITS, masks=masks).total
    dense = network_cycles(CONFIG, VIT_DIGITS).total

    row = pruned[2].rows[1]
    assert (row["network"], row["hardware"], row["sparsity"]) == ("vit_digits", "small", 0.8)
    assert row["total_cycles"] == own.total
    assert row["speedup_over_sparse"] == pytest.approx(sparse / own.total, abs=1e-6)
    assert row["speedup_over_dense"] == pytest.approx(dense / own.total, abs=1e-6)
    assert row["milliseconds"] == pytest.approx(own.total / CONFIG.frequency_mhz / 1000)
    assert row["axi_read_bytes"] == own.counters["rows_read"] * CONFIG.width
    assert row["attention_stalls"] == own.attention.stall
    cells = {name.removeprefix("area_"): row[name] for name in row if name.startswith("area_")}
    assert cells == predict(CONFIG)
    assert cells["luts"] > cells["dsps"] > CONFIG.macs
    operations = [f"{name}_cycles" for name in own.operations()]
    assert sum(row[name] for name in operations) == own.total
    entries = sum(
        np.count_nonzero(head[np.ix_(alive, alive)])
        for layer, alive in zip(masks, live, strict=True)
        for head in layer
    )
    useful = 2 * VIT_DIGITS.head_dim * entries / (CONFIG.macs * own.attention.total)
    assert row["attention_utilisation"] == pytest.approx(useful, abs=1e-6)


@pytest.mark.parametrize(("sparsities", "evaluated"), [([0.8], 3), ([0.5, 0.8], 5), ([0], 2)])
def test_baselines_are_evaluated_once(tmp_path, sparsities, evaluated):
    """A pruned point needs its sparse twin and the dense one, which all points share."""
    result = run(grid(sparsities=sparsities, pruning="original-after-attention"), tmp_path)
    lines = (tmp_path / "finished.jsonl").read_text().splitlines()
    assert len(result.rows) == len(sparsities)
    assert (result.evaluated, result.reused) == (evaluated, 0)
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == evaluated


def test_finished_points_are_reused_by_another_grid(pruned, tmp_path):
    points, folder, before = pruned
    finished = tmp_path / "finished.jsonl"
    whole = (folder / "finished.jsonl").read_bytes()
    finished.write_bytes(whole)
    again = run(points, tmp_path)
    assert (again.evaluated, again.reused) == (0, 4)
    assert again.rows == before.rows

    # A line cut short, one of other code, and one more sparsity.
    *kept, last = whole.splitlines(keepends=True)
    other = last.replace(b'"code": "', b'"code": "other')
    no_key = re.sub(rb'"key": "\w+"', b'"key": [1]', last)
    no_result = re.sub(rb'"result": .*}', b'"result": 5}', last)
    strange = no_key + no_result + b"[" * 100_000 + b"\n[1]\n\xff\n"
    finished.write_bytes(b"".join(kept) + strange + other + last[: len(last) // 2])
    more = run(grid(sparsities=[0, 0.5, 0.8], pruning="original-after-attention"), tmp_path)
    assert (more.evaluated, more.reused) == (1 + 2, 3)
    assert [more.rows[0], more.rows[2]] == before.rows
    assert run(points, tmp_path).reused == 4


def test_files_hold_the_rows_and_are_the_same_each_time(pruned, tmp_path):
    result = pruned[2]
    first, second = (write_sweep(result, tmp_path / name, "grid") for name in "ab")
    assert [path.suffix for path in first] == [".csv", ".json", ".parquet", ".png"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    csv, as_json, parquet, png = first
    rows = pd.read_parquet(parquet)
    pd.testing.assert_frame_equal(rows, pd.DataFrame(result.rows))
    assert pd.read_csv(csv)["total_cycles"].tolist() == rows["total_cycles"].tolist()
    content = json.loads(as_json.read_text())
    assert content["rows"] == result.rows
    assert content["mean_speedup_over_sparse"] == {
        "original-after-attention": result.rows[1]["speedup_over_sparse"]
    }
    assert png.read_bytes().startswith(b"\x89PNG")


def test_mask_file_gives_the_cycles_of_its_masks(tmp_path):
    masks = make_masks(maps_of(VIT_DIGITS).maps, 0.5, prefix=1)
    write_masks(tmp_path / "half.npy", masks)
    points = grid(tmp_path, sparsities=[0.5], mask_files={"vit_digits": "half.npy"})
    made, read = run(points, tmp_path).rows
    assert made["total_cycles"] == read["total_cycles"]
    assert (made["attention_maps"], read["attention_maps"]) == ("measured", None)
    assert (made["masks"], read["masks"]) == ("vitcod", "half.npy")

    write_masks(tmp_path / "half.npy", np.ones_like(masks))
    with pytest.raises(UserError, match="changed since the sweep began"):
        run_points(points, energy_table(), tmp_path / "other.jsonl")


def test_lost_worker_leaves_what_is_finished(tmp_path, monkeypatch):
    monkeypatch.setattr("sim_models.workload.network_activity", lambda *_: os._exit(9))
    with pytest.raises(UserError, match="a worker was lost"):
        run(grid(), tmp_path, processes=1)
    assert (tmp_path / "finished.jsonl").read_bytes() == b""


def test_killed_sweep_goes_on_where_it_was(tmp_path):
    seeds = list(range(40))
    spec = tmp_path / "grid.yaml"
    spec.write_text(json.dumps(SMALL | {"sparsities": [0.5], "seeds": seeds}))
    command = [sys.executable, "-m", "sparse_vit", "sweep", spec, "--out", tmp_path]
    finished = tmp_path / "grid.finished.jsonl"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (not finished.exists() or not finished.stat().st_size):
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    assert set(tmp_path.iterdir()) == {spec, finished}
    assert not psutil.wait_procs(workers, timeout=20)[1]
    lines = finished.read_bytes().count(b"\n")
    result = run_points(
        SweepSpec.model_validate(json.loads(spec.read_text())).points(), energy_table(), finished
    )
    assert result.reused >= lines > 0
    assert len({row["total_cycles"] for row in result.rows}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "tiny"], "error: deit_tiny needs max_tokens = 197"),
        (["--config", "huge"], "error: unknown preset 'huge'"),
        (["--latency", "1"], "error: memory latency 1: expected at least 2"),
        (["--rate", "0"], "error: memory rate 0: expected at least 1"),
        (["--out", __file__], "error: cannot write "),
        (["no.yaml"], "error: cannot read no.yaml"),
        (["--seed", "99999999999999999999999"], "error: Invalid value for '--seed'"),
        (["--latency", "99999999999999999999999"], "error: memory latency 9999999999999999999999"),
        (["--points-limit", "104"], "error: the grid has 105 points, more than 104"),
        (["--scheduler", "tcp://127.0.0.1:9", "--processes", "2"], "error: --processes are those"),
        (["--energy", "no.yaml"], "error: cannot read no.yaml"),
        (["--scheduler", "tcp://127.0.0.1:9"], "error: no Dask scheduler answers"),
    ],
)
def test_bad_input_is_one_line_and_no_file(
    tmp_path, command, capsys, monkeypatch, arguments, message
):
    out = tmp_path / "sweep"
    monkeypatch.setattr("sim_models.sweeps.workers.CONNECT_SECONDS", 1)
    assert command("sweep", "--out", out, *arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(message), printed
    assert printed.count("\n") == 1
    assert not any(out.glob("*.csv"))
