"""A whole DeiT-Tiny in RTL: 197 tokens, 12 layers, 1,000 logits, dense and with both methods.

Verilator only: Icarus would take the better part of a day.
"""

import json
import subprocess
import sys

import pytest

from model.network.names import DEIT_TINY

ALL = [197] * 12
PRUNED = [197, 197, 197, 177, 171, 163, 152, 138, 120, 95, 63, 21]


@pytest.mark.parametrize(
    ("options", "kept_tokens", "most_ratio"),
    [
        pytest.param(["--sparsity", "0", "--no-prune"], ALL, 1.10, id="dense"),
        pytest.param(["--sparsity", "0.8"], PRUNED, 1.15, id="sparse-pruned"),
    ],
)
def test_whole_network(options, kept_tokens, most_ratio, tmp_path):
    command = [sys.executable, "-m", "sparse_vit", "run", *options, "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.json")
    result = json.loads(path.read_text())
    assert result["mismatches"] == 0
    assert result["compared"] == DEIT_TINY.classes
    assert result["kept_tokens"] == kept_tokens
    assert result["counters"] == result["counters_model"]
    assert 1 < result["ratio"] < most_ratio
