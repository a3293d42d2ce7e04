"""`sparse-vit rtl`: its files, and one line with exit status 2 for bad input."""

import hashlib
import json
from pathlib import Path

import pytest

from rtl_gen.presets import get_config


def test_verilog_and_manifest(tmp_path, command, capsys):
    options = ("rtl", "--config", "tiny", "--set", "max_heads=3", "--out", str(tmp_path))
    assert command(*options) == 0
    first = capsys.readouterr().out
    folder = tmp_path / "tiny-max_heads3"
    verilog = (folder / "accelerator.v").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    config = get_config("tiny", max_heads=3)
    assert manifest["parameters"] == config.as_dict()
    assert manifest["config_digest"] == config.digest()
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert manifest["files"].keys() == written - {"manifest.json"}
    for path, digest in manifest["files"].items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest, path
    directions = {port["name"]: port["direction"] for port in manifest["ports"]}
    assert directions["clk"] == "input"
    assert {"control", "status", "cycles"} <= {entry["name"] for entry in manifest["registers"]}
    (kv,) = (memory for memory in manifest["memories"] if memory["name"] == "kv")
    kv_banks = "accelerator.cluster.core_0.kv"
    assert kv["paths"] == [f"{kv_banks}.bank_{lane}.sram.words" for lane in (0, 1)]
    assert (kv["words"], kv["bits"], kv["banks"], kv["writable"]) == (18, 64, 2, True)
    assert (kv["writers"], kv["readers"]) == (["linear", "load"], ["attention", "store"])

    assert command(*options) == 0
    again = capsys.readouterr().out
    assert again.count(": unchanged, ") == first.count(": written, ") > 10
    assert ": written, " not in again
    assert (folder / "accelerator.v").read_bytes() == verilog


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "huge"], "unknown preset 'huge'"),
        (["--set", "lanes"], "expected NAME=VALUE"),
        (["--set", "lanes=3"], "lanes = 3: expected a power of two"),
        (["--set", "secure=2"], "secure = 2: expected 0 or 1"),
        (["--set", "address_bits=64"], "address_bits = 64: expected 32 or 40"),
        (["--set", "colour=3"], "unknown choice 'colour'"),
        (["--colour"], "No such option: --colour"),
        (["--out", "Makefile"], "cannot write Makefile/default"),
    ],
)
def test_bad_input_is_one_line(arguments, message, command, capsys, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    assert command("rtl", *arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert not shown.out
