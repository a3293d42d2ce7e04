"""Bench that breaks the contract of `Pool`, or keeps it.

Parameters: configuration, seed; live tokens `count`, fields `first` and `dim` of the command.
"""

import cocotb

from cocotb_tests.pooling.bench_pool import PoolBench


@cocotb.test()
async def pool_meets(dut):
    bench = await PoolBench.on(dut)
    bench.set(count=bench.given["count"])
    await bench.commands.send([{"first": bench.given["first"], "dim": bench.given["dim"]}])
    await bench.until("idle")
