"""Bench of `Bank`. Parameters: `memory`, the arguments of `some_memory`; seed; and `collide`, the
ports of which two are enabled at once.
"""

from typing import Any

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.memory.some_memory import READERS, WRITERS, some_memory
from cocotb_tests.memory.words import Words
from rtl_gen.memory.bank import Bank


class BankBench(UnitBench):
    def __init__(self, dut):
        super().__init__(dut)
        plan = self.plan
        self.banks, self.every_chunk = plan.banks, (1 << plan.chunks) - 1
        self.words = Words(plan.banks * plan.words, plan.bits, plan.chunks)

    def make_unit(self) -> Bank:
        self.plan = some_memory(**self.given["memory"])
        return Bank(self.plan)

    def places(self, *, but: int | None = None) -> list[int]:
        """A word of each bank, none of them at the address `but`."""
        return [
            self.rng.choice([w for w in range(self.plan.words) if w * self.banks + bank != but])
            for bank in range(self.banks)
        ]

    def write(self, address: int, enable: int) -> None:
        """Any unit; what the others have on their ports does not matter."""
        junk = {"enable": 0, "address": self.places()[0], "data": self.rng.getrandbits(1)}
        ports = dict.fromkeys(WRITERS, junk)
        ports[self.rng.choice(WRITERS)] = self.words.write(self.rng, address, enable)
        self.set(writes=ports)

    def read(self, *, but: int) -> tuple[str, Any]:
        """Any unit, any words save one; returns the port with the answer, and the answer."""
        places = self.places(but=but)
        unit = self.rng.choice(READERS)
        for other in READERS:
            asked = places if other == unit else self.places()
            address = asked if self.plan.lanes_apart else asked[0]
            self.set(reads={other: {"enable": other == unit, "address": address}})
        words = [self.words[place * self.banks + bank] for bank, place in enumerate(places)]
        return f"reads__{unit}__data", words if self.plan.lanes_apart else words[0]


@cocotb.test()
async def any_unit_reads_what_any_wrote(dut):
    """Chunks of one bank are written while all banks are read, the same word of another too."""
    bench = await BankBench.on(dut)
    for address in range(bench.words.depth):
        bench.write(address, bench.every_chunk)
        await bench.edge
    actual, expected, asked = [], [], None
    for _ in range(400):
        address = bench.rng.randrange(bench.words.depth)
        port, answer = bench.read(but=address)
        bench.write(address, bench.rng.randint(0, bench.every_chunk))
        await bench.edge
        if asked is not None:
            actual.append(bench.get(asked))
        asked = port
        expected.append(answer)
    assert_equal("data", actual, expected[:-1])


@cocotb.test()
async def two_at_once(dut):
    """Stops the simulation."""
    bench = await BankBench.on(dut)
    for unit in ("first", "second"):
        bench.set(**{f"{bench.given['collide']}__{unit}__enable": 1})
    await bench.edge
    await bench.edge
