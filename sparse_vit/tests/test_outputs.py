"""No command begins its long work when its result could not be written."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

IMAGES = ("--data", "images", "--limit", "2")
DIGITS = Path(import_module("model").__file__).parent / "assets" / "vit_digits-int8.safetensors"


@pytest.mark.parametrize(
    ("line", "work"),
    [
        ("rtl", "rtl_gen.emit.files.Accelerator"),
        ("image --model vit_digits", "model.commands.integers.compile_network"),
        ("accuracy --no-integer", "model.commands.accuracy.load_model"),
        ("prune", "model.commands.importance.load_model"),
        ("finetune", "model.commands.finetune.load_model"),
        (f"integer-loss {DIGITS}", "model.commands.integer_loss.load_model"),
        ("figures", "sim_models.figures.command.evaluate"),
        ("report", "sim_models.report.command.evaluate"),
        (
            "search-schedule --held-back 1",
            "sim_models.schedule_search.command.load_model",
        ),
        ("demo", "sparse_vit.commands.demo.rtl"),
        ("run --model vit_digits", "sparse_vit.co_simulation.compile_network"),
        ("bench", "sparse_vit.commands.bench.model_run"),
        ("calibrate --quick", "sparse_vit.commands.calibrate._simulate_all"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_the_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    command: Callable[..., int],
    line: str,
    work: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images" / "n01440764").mkdir(parents=True)
    for index in range(4):
        pixels = np.full((40, 40, 3), index, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / "n01440764" / f"{index}.png")
    (tmp_path / "file").touch()
    takes_images = work.endswith("load_model")
    words = [*line.split(), *(IMAGES if takes_images else ()), "--out", "file/below"]

    def begin(*_, **__) -> None:
        pytest.fail("the work began")

    holder, _, name = work.rpartition(".")
    monkeypatch.setattr(import_module(holder), name, begin)
    status = command(*words)
    last = capsys.readouterr().err.splitlines()[-1]
    assert (status, last.startswith("error: cannot write file/below")) == (2, True), last
    assert "Not a directory" in last
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "images"]
