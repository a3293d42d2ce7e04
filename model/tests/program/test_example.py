"""The program of the testbench that goes with the Verilog."""

from dataclasses import replace

import pytest

from model.program.example import CLASSES, example_program
from rtl_gen.presets import get_config


@pytest.mark.parametrize(("preset", "cores"), [("tiny", 1), ("small", 4)])
def test_logits_lie_behind_one_another_in_what_the_program_stores(preset, cores):
    example = example_program(replace(get_config(preset), cores=cores))
    addresses = sorted(example.logits)
    assert len(addresses) == cores * CLASSES
    for first in range(0, len(addresses), CLASSES):
        begin = addresses[first]
        steps = range(begin, begin + CLASSES * example.logit_bytes, example.logit_bytes)
        assert addresses[first : first + CLASSES] == list(steps)
    assert len(example.image) <= addresses[0]
    assert addresses[-1] + example.logit_bytes <= example.memory_bytes
    assert example.logit_bytes == 2
