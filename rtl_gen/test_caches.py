"""Caches of users who may write the project's tree, their home, either or none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtl_gen import caches

LIBRARIES = """
import os, sys
import model, sim_models, cocotb_tests, sparse_vit
import huggingface_hub.constants, matplotlib, numba, torch.hub
print(matplotlib.get_cachedir(), matplotlib.get_configdir())
print(huggingface_hub.constants.HF_HUB_CACHE, torch.hub.get_dir(), numba.config.CACHE_DIR)
"""


@pytest.fixture
def no_folder(tmp_path: Path) -> Path:
    """A place below which nobody, not even root, can write or make a folder."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "below"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """A tree of the project, a home and a folder of temporary files, all to be written."""
    found = tree, home, temporary = tmp_path / "tree", tmp_path / "home", tmp_path / "temporary"
    for place in found:
        place.mkdir()
    (tree / "pyproject.toml").touch()
    monkeypatch.setattr(caches, "PROJECT", tree)
    monkeypatch.setattr(caches.tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")  # So that what a test sets is taken back.
        monkeypatch.delenv(name)
    return found


def test_first_place_that_can_be_written(places, no_folder: Path, monkeypatch: pytest.MonkeyPatch):
    tree, home, temporary = places
    assert caches.cache_folder("sim") == tree / "build" / "sim"
    (tree / "build").touch()
    assert caches.cache_folder("sim") == home / ".cache" / caches.NAME / "sim"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert caches.cache_folder("sim") == home / "other" / caches.NAME / "sim"
    monkeypatch.setenv("XDG_CACHE_HOME", str(no_folder))
    last = caches.cache_folder("sim")
    assert last == temporary / f"{caches.NAME}-{os.geteuid()}" / "sim"
    assert last.parent.stat().st_mode & 0o777 == 0o700
    assert caches.cache_folder("sim") == last
    with monkeypatch.context() as patch:
        patch.setattr(caches.tempfile, "gettempdir", _nowhere)
        assert caches.cache_folder("sim") == tree / "build" / "sim"
    last.parent.chmod(0o777)
    assert caches.cache_folder("sim").parent.parent == temporary
    assert caches.cache_folder("sim") != last


def _nowhere() -> str:
    raise FileNotFoundError


def test_installed_elsewhere(places):
    """Without the project's tree around them the packages leave their own folder alone."""
    tree, home, _ = places
    (tree / "pyproject.toml").unlink()
    assert caches.cache_folder("sim") == home / ".cache" / caches.NAME / "sim"


def test_libraries_stay_where_they_can_write(places, no_folder: Path, monkeypatch):
    tree, *_ = places
    before = dict(os.environ)
    caches.move_libraries()
    assert dict(os.environ) == before
    monkeypatch.setenv("XDG_CONFIG_HOME", str(no_folder))
    caches.move_libraries()
    assert os.environ["MPLCONFIGDIR"] == str(tree / "build" / "matplotlib")
    assert "XDG_CACHE_HOME" not in os.environ
    monkeypatch.setenv("HOME", str(no_folder))
    caches.move_libraries()
    assert os.environ["XDG_CACHE_HOME"] == str(tree / "build" / "home")


def test_packages_without_a_home(no_folder: Path):
    """Every library has a place that can be written, and nothing is printed on the way."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(no_folder),
        "TMPDIR": str(no_folder.parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", LIBRARIES],
        env=variables,
        cwd=caches.PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for place in done.stdout.split():
        folder = Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        assert os.access(folder, os.W_OK)
