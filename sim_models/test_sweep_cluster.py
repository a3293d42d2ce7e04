"""The same sweep on a real Dask scheduler with worker processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from distributed import Client

from model.attention.synthetic import maps_of
from model.masks.strategies import make_masks
from model.masks.vitcod_file import write_masks
from model.network.names import VIT_DIGITS
from rtl_gen.errors import UserError
from sim_models.sweeps.energy import energy_table
from sim_models.sweeps.files import write_sweep
from sim_models.sweeps.run import run_points
from sim_models.sweeps.spec import SweepSpec

ROOT = Path(__file__).parents[1]
WORKERS = 2

pytestmark = pytest.mark.filterwarnings("ignore:This process .*fork:DeprecationWarning")


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    """A process of Dask's own command line, ended with the block."""
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--host", "127.0.0.1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Address of a scheduler, and the folder of its processes."""
    folder = tmp_path_factory.mktemp("dask")
    contact = folder / "scheduler.json"
    with dask(folder, "scheduler", "--port", "0", "--scheduler-file", str(contact)) as scheduler:
        while not contact.exists():
            assert scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        with Client(scheduler_file=str(contact), set_as_default=False) as client:
            yield client.scheduler.address, folder


def test_scheduler_without_workers_is_refused(cluster, tmp_path):
    points = SweepSpec.model_validate({"networks": "vit_digits", "presets": "small"}).points()
    with pytest.raises(UserError, match="has no workers"):
        run_points(points, energy_table(), tmp_path / "f.jsonl", scheduler=cluster[0])


@pytest.mark.long
@pytest.mark.parametrize("killed", [1, WORKERS])
def test_killed_workers(cluster, tmp_path, monkeypatch, killed):
    """Others take over what a lost one had to do; without any the sweep ends in one sentence."""
    monkeypatch.setattr("sim_models.sweeps.workers.WORKERLESS_SECONDS", 1)
    address, folder = cluster
    spec = {"networks": "vit_digits", "presets": "small", "sparsities": 0.8, "seeds": [*range(12)]}
    points = SweepSpec.model_validate(spec).points()
    with ExitStack() as stack:
        workers = [
            stack.enter_context(dask(folder, "worker", address, "--nthreads", "1", "--no-nanny"))
            for _ in range(WORKERS)
        ]
        client = stack.enter_context(Client(address, set_as_default=False))
        client.wait_for_workers(WORKERS, timeout=120)

        def kill(_done: int, _all: int) -> None:
            for worker in workers[:killed]:
                worker.kill()

        file = tmp_path / "there.jsonl"
        if killed == WORKERS:
            with pytest.raises(UserError, match="a worker was lost: finished points are kept"):
                run_points(points, energy_table(), file, scheduler=address, progress=kill)
            return
        rows = run_points(points, energy_table(), file, scheduler=address, progress=kill).rows
        assert len(client.nthreads()) == WORKERS - killed
    assert rows == run_points(points, energy_table(), tmp_path / "here.jsonl").rows


@pytest.mark.long
def test_cluster_gives_the_bytes_of_this_machine(cluster, tmp_path, monkeypatch):
    address, folder = cluster
    monkeypatch.chdir(tmp_path)
    write_masks(Path("half.npy"), make_masks(maps_of(VIT_DIGITS).maps, 0.5, prefix=1))
    spec = {
        "networks": "vit_digits",
        "presets": "small",
        "sparsities": [0, 0.8],
        "mask_files": {"vit_digits": "half.npy"},
        "pruning": ["none", "original-after-attention"],
    }
    points = SweepSpec.model_validate(spec).points()
    here = run_points(points, energy_table(), tmp_path / "here.jsonl")
    with ExitStack() as stack:
        for _ in range(WORKERS):
            stack.enter_context(dask(folder, "worker", address, "--nthreads", "1", "--no-nanny"))
        client = stack.enter_context(Client(address, set_as_default=False))
        client.wait_for_workers(WORKERS, timeout=120)
        there = run_points(points, energy_table(), tmp_path / "there.jsonl", scheduler=address)
        evaluators = client.run(lambda: __import__("sys").modules.get("sim_models.sweeps.point"))
    assert there.evaluated == here.evaluated == len(points)
    files = [write_sweep(r, tmp_path / n, "grid") for r, n in ((here, "here"), (there, "there"))]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]
    assert any(evaluators.values())
