"""`sparse-vit rtl`: its files, and one line with exit status 2 for bad input."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rtl_gen.presets import get_config


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "sparse_vit", *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


def test_verilog_and_manifest(tmp_path):
    options = ("rtl", "--config", "tiny", "--set", "max_heads=3", "--out", str(tmp_path))
    first = run(*options)
    assert first.returncode == 0, first.stderr
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

    again = run(*options)
    assert again.stdout.count(": unchanged, ") == first.stdout.count(": written, ") > 10
    assert ": written, " not in again.stdout
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
def test_bad_input_is_one_line(arguments, message):
    result = run("rtl", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not result.stdout
