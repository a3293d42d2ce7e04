"""Bench that breaks the contract of `TopK`, or keeps it.

Parameters: configuration, seed; `selection`, what the sorter is asked for.
"""

import cocotb

from cocotb_tests.pruning.bench_topk import TopKBench


@cocotb.test()
async def selection_meets(dut):
    bench = await TopKBench.on(dut)
    bench.set(live=0b1111)
    await bench.start.send([bench.given["selection"]])
    await bench.until("start__ready")
