"""What pip installs: built once, put into an empty folder, used from another one."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sparse_vit
from model.data.digits import Split, held_back_digit, write_folder
from rtl_gen.extras import EXTRAS

ROOT = Path(__file__).parents[2]
PACKAGES = ("rtl_gen", "model", "sim_models", "proofs", "cocotb_tests", "sparse_vit")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*PIP, "wheel", *options, str(ROOT)], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site-packages")
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([*PIP, "install", *options, str(wheel)], check=True)
    return folder


@pytest.fixture
def python(installed: Path, tmp_path: Path):
    """Run Python with the installed packages in an empty folder, where nothing may be left."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
        before = sorted(installed.rglob("*"))
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(installed),
                "PYTHONDONTWRITEBYTECODE": "1",
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert sorted(installed.rglob("*")) == before
        return done

    return run


def test_contents(wheel: Path):
    """All that the packages hold but tests."""
    listed = subprocess.check_output(["git", "ls-files", *PACKAGES], cwd=ROOT, text=True)
    files = set(listed.splitlines())
    tests = {
        name
        for name in files
        if "/tests/" in name or Path(name).name.startswith(("test_", "conftest"))
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        described = archive.read(metadata).decode()
    assert names == files - tests
    assert "sparse_vit/py.typed" in names
    assert f"\nVersion: {sparse_vit.__version__}\n" in described


def test_the_command(python, installed: Path):
    done = python(str(installed / "bin" / "sparse-vit"), "simulate", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cycles"] == 1_652_769


def test_the_library_without_any_extra(python, installed: Path, tmp_path: Path):
    """The example as far as the hardware; there the extra is named."""
    digits = write_folder(Split.CALIBRATION, tmp_path / "digits").root
    held_back_digit(3)[0].save(tmp_path / "picture.png")
    absent = sorted({module for modules in EXTRAS.values() for module in modules})
    program = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({absent!r}))\n"
        "import sparse_vit\n"
        "print(sparse_vit.__file__)\n"
        f"sys.argv = ['library.py', {str(digits)!r}, 'picture.png']\n"
        f"runpy.run_path({str(ROOT / 'examples' / 'library.py')!r})\n"
    )
    done = python("-c", program)
    used, *printed = done.stdout.splitlines()
    assert Path(used).parent == installed / "sparse_vit"
    assert printed[-1] == f"class {held_back_digit(3)[1]}"
    assert (tmp_path / "cycles.png").is_file()
    last = done.stderr.splitlines()[-1]
    assert "UserError: the Python package pyosys is missing: install it with pip install '" in last


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_nothing_writable(python, tmp_path: Path):
    tmp_path.chmod(0o500)
    nowhere = {"HOME": "/", "XDG_CACHE_HOME": "/", "TMPDIR": "/"}
    done = python("-m", "sparse_vit", "simulate", "--json", **nowhere)
    tmp_path.chmod(0o700)
    assert json.loads(done.stdout)["cycles"] == 1_652_769
