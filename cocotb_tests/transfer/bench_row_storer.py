"""Bench of `RowStorer`; the memories are Python. Parameters: configuration, seed."""

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.interfaces.memories import READ_LATENCY
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
            cocotb.start_soon(self._serve(name, self._word))
        cocotb.start_soon(self._serve("kv", self._kv_word))

    def word(self, *place) -> int:
        """Random, and the same at every visit."""
        if place not in self.words:
            bits = len(self.dut[f"reads__{place[0]}__data"])
            self.words[place] = self.rng.getrandbits(bits)
        return self.words[place]

    def _word(self, name: str, address: int) -> int:
        return self.word(name, address)

    def _kv_word(self, name: str, addresses: int) -> int:
        """A word of each bank, at the address of each."""
        lanes = self.config.lanes
        bits = len(self.dut[f"reads__{name}__address"]) // lanes
        row = self.config.row_bits
        words = [addresses >> bank * bits & (1 << bits) - 1 for bank in range(lanes)]
        return sum(self.bank_word(bank, word) << bank * row for bank, word in enumerate(words))

    def bank_word(self, bank: int, word: int) -> int:
        key = ("bank", bank, word)
        if key not in self.words:
            self.words[key] = self.rng.getrandbits(self.config.row_bits)
        return self.words[key]

    async def _serve(self, name: str, contents) -> None:
        """A latch behind an enabled address; `live` answers at once, and keeps its answer."""
        assert READ_LATENCY == 1
        port = f"reads__{name}"
        address = getattr(self.dut, f"{port}__address", None)
        while True:
            await self.until(f"{port}__enable")
            asked = 0 if address is None else int(address.value)
            self.dut[f"{port}__data"].value = contents(name, asked)

    def row(self, target: Target, row: int) -> int:
        """Independent expectation of a stored row."""
        config, lanes = self.config, self.config.lanes
        if target in (Target.KEY, Target.VALUE):
            word, bank = divmod(row, lanes)
            return self.bank_word(bank, 2 * word + (target == Target.VALUE))
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
