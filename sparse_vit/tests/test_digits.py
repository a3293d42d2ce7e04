"""The trained `vit_digits` in RTL: from the pixels of held-back digits to their classes."""

import pytest

from rtl_gen.errors import UserError
from sim_models.memory import MemoryTiming
from sparse_vit.digits import PRESET, classify

SPARSITY = 0.8


def test_every_tensor():
    """Three digits, one after another without a reset, 80 % sparse and pruned."""
    runs = classify([0, 1, 2], sparsity=SPARSITY, dump=True, memory=MemoryTiming(latency=23))
    for result in runs:
        assert result.comparison.mismatches == 0
        assert result.rtl_class == result.golden_class == result.label
        assert result.counters == result.predicted
    assert [result.tokens for result in runs] == [(50, 50, 45, 35, 6)] * 3
    assert len({result.label for result in runs}) == 3
    assert all(result.comparison.compared > 90_000 for result in runs)


def test_no_such_digit():
    with pytest.raises(UserError, match="digit 500: expected a number from 0 to 499"):
        classify([500], sparsity=SPARSITY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "vit_tiny_patch16_384", "--config", "default"), "expected the preset large"),
        (("--model", "vit_digits", "--config", "tiny"), "vit_digits needs max_tokens = 50"),
        (("--model", "deit_tiny", "--config", PRESET), "deit_tiny needs max_tokens = 197"),
        (("--model", "vit_digits", "--image", "digits:x"), "expected digits:17"),
        (("--model", "vit_digits", "--image", "digits:999"), "from 0 to 499"),
        (("--model", "vit_digits", "--image", "none.png"), "none.png is unreadable"),
        (("--model", "deit_base", "--strategy", "learned"), "none of deit_base come with the"),
        (("--image", "none.png", "--weights", "none.pth", "--calib", "none"), "none.png is unread"),
    ],
)
def test_user_errors(options, message, tmp_path, command, capsys):
    out = tmp_path / "deit"
    assert command("run", *options, "--out", out) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()
