"""Mutants are what they say they are; a bench notices them, or they are listed."""

import pytest

from cocotb_tests.mutants.operators import mutants
from cocotb_tests.mutants.run import draw, survives, units
from rtl_gen.errors import UserError

TEXT = """
def sizes(config):
    return config + 1


def parts(self, m, valid):
    with m.If(valid & ~(self.level != 0)):
        m.d.sync += x.eq((a +
            b) >> 1)
    require(m, a < b, "a" + "b")
"""


def test_operators_of_hardware_are_replaced_one_by_one():
    found = mutants(TEXT)
    assert [(one.line, one.after) for one in found] == [
        (7, "with m.If(valid | ~(self.level != 0)):"),
        (7, "with m.If(valid & (self.level != 0)):"),
        (7, "with m.If(valid & ~(self.level == 0)):"),
        (8, "m.d.sync += x.eq((a -"),
        (9, "b) << 1)"),
    ]
    for one in found:
        changed = one.text.splitlines()
        lines = zip(changed, TEXT.splitlines(), strict=True)
        assert [number for number, (a, b) in enumerate(lines, 1) if a != b] == [one.line]


def test_the_same_seed_draws_the_same():
    assert "pruning.topk" in units()
    assert draw("topk", 5, 3) == draw("topk", 5, 3) != draw("topk", 5, 4)
    assert {one.unit for one in draw("topk", 5, 3)} == {"pruning.topk"}
    with pytest.raises(UserError, match="no bench of 'core'"):
        draw("core", 1, 0)


def test_the_queues_bench_notices():
    drawn = draw("common.queue", 2, 0)
    assert [one for one in drawn if survives(one)] == []
