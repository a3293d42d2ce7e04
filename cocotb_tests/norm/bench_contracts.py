"""Bench that breaks the contracts of LayerNorm's units, or keeps them within a cycle.

Parameters: configuration, seed; what the tests below name.
"""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.norm.bench_layer_norm import NormBench
from cocotb_tests.norm.bench_norm_statistics import StatisticsBench
from rtl_gen.norm.layer_norm import LayerNorm


@cocotb.test()
async def statistics_meet(dut):
    """Two updates of a token `apart`, then a read of any `settled` cycles later."""
    bench = await StatisticsBench.on(dut)
    for pause in (bench.given["apart"], bench.given["settled"]):
        bench.set(updates__valid=1)
        await bench.edge
        bench.set(updates__valid=0)
        if pause > 1:
            await ClockCycles(dut.clk, pause - 1)
    await bench.read("read", [1], bench.unit.READ_LATENCY)


@cocotb.test()
async def norm_meets(dut):
    """A norm with `count` live tokens of `dim` channels; an update of `token` while it runs."""
    bench = await NormBench.on(dut)
    bench.set(count=bench.given["count"])
    await bench.commands.send([{"dim": bench.given["dim"]}])
    await ClockCycles(dut.clk, bench.given["runs"])
    bench.set(updates__valid=1)
    await bench.edge
    bench.set(updates__valid=0)
    await ClockCycles(dut.clk, LayerNorm.latency(bench.config))
