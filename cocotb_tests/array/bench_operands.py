"""Bench of `OperandRegisters`: both users by turns, a cycle at a time. Parameters: configuration,
seed.
"""

import cocotb

from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.array.operands import OperandRegisters


class OperandsBench(UnitBench):
    UNIT = OperandRegisters

    def offer(self) -> tuple[dict, dict]:
        """What linear and attention offer in a cycle: all of it random."""
        rng, config = self.rng, self.config

        def row():
            return [rng.randint(-128, 127) for _ in range(config.width)]

        def vectors():
            return [row() for _ in range(config.lanes)]

        linear = {
            "running": rng.randrange(2),
            "take": rng.random() < 0.3,
            "row": row(),
            "weights": vectors(),
        }
        scalars = [rng.randrange(256) for _ in range(config.lanes)]
        lanes = {"scale_lanes": rng.randrange(2), "scalars": scalars}
        return linear, {"row": row(), "vectors": vectors(), "lanes": lanes}

    def sums(self) -> dict:
        dots = [self.rng.randint(-1000, 1000) for _ in range(self.config.lanes)]
        return {"dots": dots, "columns": [-5 * c for c in range(self.config.width)]}


@cocotb.test()
async def chooses_and_keeps(dut):
    """Operands one cycle after the offer; vectors of linear change with `take` alone."""
    bench = await OperandsBench.on(dut)
    vectors = None
    for cycle in range(200):
        linear, attention = bench.offer()
        linear["running"] = (cycle // 20) % 2 if cycle < 160 else linear["running"]
        bench.set(linear__argument=linear, attention__argument=attention)
        await bench.edge
        user = linear if linear["running"] else attention
        if not linear["running"]:
            vectors = attention["vectors"]
        elif linear["take"]:
            vectors = linear["weights"]
        sums = bench.sums()
        bench.set(array__result=sums)
        await bench.edge  # the offer stays, so that the operands are taken once more
        operands = bench.get("array__argument")
        assert operands["row"] == user["row"]
        assert operands["vectors"] == vectors
        assert operands["lanes"]["scalars"] == attention["lanes"]["scalars"]
        scales = attention["lanes"]["scale_lanes"] and not linear["running"]
        assert operands["lanes"]["scale_lanes"] == scales
        assert bench.get("linear__result") == sums["dots"]
        assert bench.get("attention__result") == sums
