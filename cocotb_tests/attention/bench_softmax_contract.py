"""Bench of `Softmax` that breaks its contract: more rows than slots, none of them picked up.

Parameters: configuration; `rows`, how many of one beat are sent. `row_slots` of them are legal.
"""

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.harness.bench import parameters, start
from rtl_gen.attention.row_maximum import score_beat_layout
from rtl_gen.attention.softmax import Softmax
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.packing import pack


@cocotb.test()
async def rows_that_nobody_takes(dut):
    await start(dut)
    given = parameters()
    config = AcceleratorConfig(**given["config"])
    beat = {"token": 0, "last": 1, "valid": 1, "scores": [0] * config.lanes}
    dut.scores__payload.value = pack(score_beat_layout(config), beat)
    for _ in range(given["rows"]):
        dut.scores__valid.value = 1
        await RisingEdge(dut.clk)
        dut.scores__valid.value = 0
    through = Softmax.row_max_latency(config) + Softmax.normalise_latency(config)
    await ClockCycles(dut.clk, given["rows"] + through)
