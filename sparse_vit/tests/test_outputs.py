"""No command begins its long work when its result could not be written."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtl_gen import cli

IMAGES = ("--data", "images", "--limit", "2")
DIGITS = Path(import_module("model").__file__).parent / "assets" / "vit_digits-int8.safetensors"


@pytest.mark.parametrize(
    ("command", "work"),
    [
        ("rtl_gen.__main__ rtl", "rtl_gen.__main__.Accelerator"),
        ("model.__main__ image --model vit_digits", "model.commands.integers.compile_network"),
        ("model.__main__ accuracy --no-integer", "model.commands.accuracy.load_model"),
        ("model.__main__ importance", "model.commands.importance.load_model"),
        ("model.__main__ finetune", "model.commands.finetune.load_model"),
        (f"model.__main__ integer-loss {DIGITS}", "model.commands.integer_loss.load_model"),
        ("sim_models.__main__ figures", "sim_models.figures.command.evaluate"),
        ("sim_models.__main__ report", "sim_models.report.command.evaluate"),
        (
            "sim_models.__main__ search-schedule --held-back 1",
            "sim_models.schedule_search.command.load_model",
        ),
        ("sparse_vit.demo", "sparse_vit.demo.rtl"),
        ("sparse_vit.deit --model vit_digits", "sparse_vit.deit.compile_network"),
        ("sparse_vit.speed", "sparse_vit.speed.model_run"),
        ("sparse_vit.calibrate --quick", "sparse_vit.calibrate._simulate_all"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_the_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    command: str,
    work: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images" / "n01440764").mkdir(parents=True)
    for index in range(4):
        pixels = np.full((40, 40, 3), index, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / "n01440764" / f"{index}.png")
    (tmp_path / "file").touch()
    module, *words = command.split()
    takes_images = work.endswith("load_model")
    words += [*(IMAGES if takes_images else ()), "--out", "file/below"]
    app = import_module(module).app

    def begin(*_, **__) -> None:
        pytest.fail("the work began")

    holder, _, name = work.rpartition(".")
    monkeypatch.setattr(import_module(holder), name, begin)
    monkeypatch.setattr(sys, "argv", ["command", *words])
    with pytest.raises(SystemExit) as ended:
        cli.run(app)
    last = capsys.readouterr().err.splitlines()[-1]
    assert (ended.value.code, last.startswith("error: cannot write file/below")) == (2, True), last
    assert "Not a directory" in last
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "images"]
