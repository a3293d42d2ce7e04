"""Bench of `OperandRegisters`: both users by turns, a cycle at a time. Parameters: configuration,
seed.
"""

import cocotb

from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.array.operands import OperandRegisters


class OperandsBench(UnitBench):
    UNIT = OperandRegisters


@cocotb.test()
async def chooses_and_keeps(dut):
    """Operands one cycle after the offer; vectors of linear change with `take` alone."""
    bench = await OperandsBench.on(dut)
    vectors = None
    for cycle in range(200):
        running = cycle // 20 % 2 if cycle < 160 else bench.rng.randrange(2)
        linear = bench.random("linear__argument", running=running, take=bench.rng.random() < 0.3)
        attention = bench.random("attention__argument")
        bench.set(linear__argument=linear, attention__argument=attention)
        await bench.edge
        if not running:
            vectors = attention["vectors"]
        elif linear["take"]:
            vectors = linear["weights"]
        sums = bench.random("array__result")
        bench.set(array__result=sums)
        await bench.edge  # the offer stays, so that the operands are taken once more
        row, lanes = (linear if running else attention)["row"], attention["lanes"]
        scaling = lanes["scale_lanes"] and not running
        assert bench.get("array__argument") == {
            "factors": [[scalar] * len(row) if scaling else row for scalar in lanes["scalars"]],
            "vectors": vectors,
        }
        assert bench.get("linear__result") == sums["dots"]
        assert bench.get("attention__result") == sums
