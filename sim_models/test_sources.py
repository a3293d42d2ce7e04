"""What results of a sweep and compiled functions depend on: no more, no less than they import."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sim_models import CODE, COMPILED, sources
from sim_models.sources import PACKAGES, ROOT, digest_of, sources_of

POINT = "sim_models.sweeps.point"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's packages elsewhere."""
    root = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return root


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_place_is_no_part_of_the_digest(copy: Path):
    assert digest_of(POINT, root=copy) == CODE == digest_of(POINT)


def test_packages_that_are_installed_beside_are_no_part(copy: Path):
    """As in site-packages, where they would be read whole: a minute for PyTorch."""
    beside = copy / "numpy" / "__init__.py"
    beside.parent.mkdir()
    beside.write_text("pi = 3\n")
    assert beside not in sources_of(POINT, root=copy)
    assert digest_of(POINT, root=copy) == CODE


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("rtl_gen/attention/exponentials.py", "LATENCY = 6", "LATENCY = 7"),
        ("model/masks/strategies.py", "SCORE_TIE = 1 / 64", "SCORE_TIE = 1 / 65"),
        ("sim_models/sweeps/point.py", '"results": {', '"results": {"more": 1,'),
    ],
)
def test_constant_of_an_imported_file(copy: Path, file: str, old: str, new: str):
    path = copy / file
    before = path.read_text()
    change(path, old, new)
    try:
        assert digest_of(POINT, root=copy) != CODE
    finally:
        path.write_text(before)


def test_constant_that_moves_into_a_sub_folder(copy: Path):
    """A constant goes into a new folder, from where it is imported; then it changes there."""
    masks = copy / "model" / "masks" / "strategies.py"
    moved = copy / "model" / "rules" / "ties.py"
    before = masks.read_text()
    try:
        change(masks, "SCORE_TIE = 1 / 64", "from model.rules.ties import SCORE_TIE")
        moved.parent.mkdir()
        (moved.parent / "__init__.py").touch()
        moved.write_text("SCORE_TIE = 1 / 64\n")
        first = digest_of(POINT, root=copy)
        assert moved in sources_of(POINT, root=copy)
        moved.write_text("SCORE_TIE = 1 / 65\n")
        assert len({CODE, first, digest_of(POINT, root=copy)}) == 3
        moved.write_text("SCORE_TIE = 1 / 64\n")
        change(masks, "from model.rules.ties", "from ..rules.ties")
        assert moved in sources_of(POINT, root=copy)
        (moved.parent / "deeper").mkdir()
        moved.rename(moved.parent / "deeper" / "ties.py")
        moved.write_text("def tie():\n    from .deeper import ties\n    return ties\n")
        assert moved.parent / "deeper" / "ties.py" in sources_of(POINT, root=copy)
    finally:
        masks.write_text(before)
        shutil.rmtree(moved.parent)
    assert digest_of(POINT, root=copy) == CODE


def test_assets_count(copy: Path):
    path = copy / "model" / "assets" / "deit_tiny.npz"
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    assert digest_of(POINT, root=copy) != CODE
    path.write_bytes(content)
    (copy / "model" / "assets" / "more").mkdir()
    (copy / "model" / "assets" / "more" / "deit_small.npz").touch()
    assert digest_of(POINT, root=copy) != CODE
    shutil.rmtree(copy / "model" / "assets" / "more")


def test_other_files_do_not_count(copy: Path):
    for name in ("model/finetune/recipe.py", "sim_models/sweeps/tables.py", "rtl_gen/manifest.py"):
        (copy / name).write_text("broken =")
    (copy / "model" / "tests" / "masks" / "test_strategies.py").unlink()
    assert digest_of(POINT, root=copy) == CODE


def test_all_that_python_imports_is_known():
    """A fresh Python imports the module; what it then holds of the project must be in the list."""
    command = f"import sys, {POINT}; print(*(m.__file__ for m in list(sys.modules.values()) if"
    command = f"{command} getattr(m, '__file__', None)), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {Path(line) for line in done.stdout.splitlines()}
    own = {path for path in loaded if any(ROOT / name in path.parents for name in PACKAGES)}
    assert len(own) > 40
    assert own <= set(sources_of(POINT))


def test_every_compiled_module_is_known():
    paths = (ROOT / "sim_models").rglob("*.py")
    compiled = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in paths
        if re.search(r"^from numba|^@njit", path.read_text(), re.MULTILINE)
    }
    assert compiled == set(COMPILED)
    assert Path(sources.__file__) in sources_of(*COMPILED)
