"""Bench of `RowStorer`; the memories are Python. Parameters: configuration, seed."""

from functools import partial
from typing import Any

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.interfaces.memories import READ_LATENCY
from rtl_gen.interfaces.packing import unpack
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.transfer.row_storer import RowStorer

MEMORIES = {
    Target.QUERY: "query",
    Target.ACTIVATION: "activation",
    Target.HIDDEN: "hidden",
    Target.RESIDUAL: "residual",
    Target.IMPORTANCE: "importance",
    Target.LIVE: "live",
}


class RowStorerBench(UnitBench):
    """Memories hold random items at any address; kv a random row a bank and word."""

    UNIT = RowStorer

    def __init__(self, dut: HierarchyObject, *, pause: float):
        super().__init__(dut)
        self.commands, self.stored = self.source("store"), self.sink("rows", self.pauses(pause))
        self.words: dict[tuple, int] = {}
        for name in MEMORIES.values():
            self.serve(f"reads__{name}", partial(self._data, name), READ_LATENCY)
        self.serve("reads__kv", self._kv_data, READ_LATENCY)

    def word(self, name: str, *place: int) -> int:
        """Random, and the same at every visit; of kv by bank and address."""
        if (name, *place) not in self.words:
            bits = self.config.row_bits if name == "kv" else len(self.dut[f"reads__{name}__data"])
            self.words[name, *place] = self.rng.getrandbits(bits)
        return self.words[name, *place]

    def _data(self, name: str, address: int) -> Any:
        return unpack(self.shapes[f"reads__{name}__data"], self.word(name, address))

    def _kv_data(self, addresses: int) -> list:
        """A word of each bank, at the address of each."""
        places = enumerate(unpack(self.shapes["reads__kv__address"], addresses))
        row = self.config.row_bits
        words = sum(self.word("kv", bank, at) << bank * row for bank, at in places)
        return unpack(self.shapes["reads__kv__data"], words)

    def row(self, target: Target, row: int) -> int:
        """Independent expectation of a stored row."""
        config, lanes = self.config, self.config.lanes
        if target in (Target.KEY, Target.VALUE):
            word, bank = divmod(row, lanes)
            return self.word("kv", bank, 2 * word + (target == Target.VALUE))
        if target == Target.IMPORTANCE:
            rows = -(-lanes * 32 // config.row_bits)
            word, bits = self.word("importance", row // rows), config.importance_bits
            padded = sum(
                (word >> lane * bits & (1 << bits) - 1) << lane * 32 for lane in range(lanes)
            )
            return padded >> row % rows * config.row_bits & (1 << config.row_bits) - 1
        return self.word(MEMORIES[target], row)


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def stores_every_memory(dut, pause):
    """Parts of every target that STORE reaches, a row every READ_CYCLES if nothing waits."""
    bench = await RowStorerBench.on(dut, pause=pause)
    rng, config = bench.rng, bench.config
    targets = {t: x.rows for t, x in transfers(config).items() if x.stores}
    assert targets.keys() == MEMORIES.keys() | {Target.KEY, Target.VALUE}
    for target, most in [*targets.items(), *rng.sample(sorted(targets.items()), 4)]:
        count = rng.choice([1, min(most, 7)])
        first, address = rng.choice([0, most - count]), config.width * rng.getrandbits(16)
        await bench.commands.send(
            [{"target": target, "first": first, "count": count, "address": address}]
        )
        begin = bench.cycle
        rows = await bench.stored.receive(count)
        if not pause:
            cycles = bench.cycle - begin
            assert_equal(f"{target.name}: cycles", cycles, count * RowStorer.READ_CYCLES + 1)
        expected = [
            {"address": address + i * config.width, "data": bench.row(target, first + i)}
            for i in range(count)
        ]
        assert rows == expected, f"{target.name}: {rows}, expected {expected}"
        await bench.until("idle")


@cocotb.test()
async def reset_in_between(dut):
    """A reset while a row waits: nothing of it comes."""
    bench = await RowStorerBench.on(dut, pause=0.5)
    fields = {"target": Target.HIDDEN, "count": 5, "address": 0}
    await bench.commands.send([fields])
    await bench.stored.receive(1)
    await bench.pulse("rst")
    await bench.edge
    assert bench.get("idle")
    assert not bench.get("rows__valid")
    await bench.commands.send([fields | {"first": 2, "count": 1}])
    (row,) = await bench.stored.receive(1)
    assert row == {"address": 0, "data": bench.row(Target.HIDDEN, 2)}
