"""A whole DeiT-Tiny in RTL: 197 tokens, 12 layers, 1,000 logits, with both methods.

Verilator only: Icarus would take the better part of a day. `make deit SPARSITY=0 PRUNE=0` and
`make calibrate` run it dense.
"""

import json
import subprocess
import sys

import pytest

from model.network.names import DEIT_TINY

PRUNED = [197, 197, 197, 177, 171, 163, 152, 138, 120, 95, 63, 21]


@pytest.mark.long
def test_whole_network(tmp_path):
    words = ["-m", "sparse_vit", "run", "--sparsity", "0.8", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.json")
    result = json.loads(path.read_text())
    assert result["mismatches"] == 0
    assert result["compared"] == DEIT_TINY.classes
    assert result["kept_tokens"] == PRUNED
    assert result["counters"] == result["counters_model"]
    assert 1 < result["ratio"] < 1.15
