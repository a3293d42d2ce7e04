"""Requantiser, reciprocal and queue on both simulators."""

import pytest
from amaranth.hdl import unsigned

from cocotb_tests.harness.units import run_unit
from rtl_gen import numerics
from rtl_gen.common.queue import Queue
from rtl_gen.common.reciprocal import Reciprocal
from rtl_gen.common.requantize import Requantizer
from rtl_gen.presets import get_config

ELEMENTS = 3
QUEUE_BITS = 12


@pytest.mark.parametrize(
    ("input_bits", "output_bits"),
    [(get_config("tiny").dot_bits, numerics.SCORE_BITS), (get_config("default").pv_bits, 8)],
    ids=["scores", "outputs"],
)
def test_requantizer(simulator, input_bits, output_bits):
    sizes = {"elements": ELEMENTS, "input_bits": input_bits, "output_bits": output_bits}
    run_unit(simulator, Requantizer(**sizes), **sizes, seed=3)


@pytest.mark.parametrize(("preset", "exhaustive"), [("tiny", True), ("default", False)])
def test_reciprocal(simulator, preset, exhaustive):
    bits = get_config(preset).exp_sum_bits
    run_unit(simulator, Reciprocal(bits), bits=bits, exhaustive=exhaustive, seed=11)


@pytest.mark.parametrize("depth", [2, 8])
def test_queue(simulator, depth):
    unit = Queue(unsigned(QUEUE_BITS), depth)
    run_unit(simulator, unit, depth=depth, bits=QUEUE_BITS, seed=4)
