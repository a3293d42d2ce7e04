"""Bench of `RowStorer`; the memories are Python. Parameters: configuration, seed."""

from functools import partial
from typing import Any

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.transfer.rows import PLAIN, kv_word
from rtl_gen.interfaces.memories import READ_LATENCY, Memory
from rtl_gen.interfaces.packing import unpack
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.transfer.row_storer import RowStorer


class RowStorerBench(UnitBench):
    """Random memories, and what a STORE makes of them."""

    UNIT = RowStorer
    LIMIT_CYCLES = 20_000

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.commands = self.source("store")
        self.targets = {t: x for t, x in transfers(self.config).items() if x.stores}
        self.banks: dict[str, list[list[int]]] = {}
        for memory in {x.memory.name: x.memory for x in self.targets.values()}.values():
            words = range(memory.words)
            self.banks[memory.name] = [
                [self.rng.getrandbits(memory.bits) for _ in words] for _ in range(memory.banks)
            ]
            self.serve(f"reads__{memory.name}", partial(self._answer, memory), READ_LATENCY)

    def _answer(self, memory: Memory, bits: int) -> Any:
        """Data of a read port whose address has these bits: a word, or one of each bank."""
        port = f"reads__{memory.name}"
        asked, banks = unpack(self.shapes[f"{port}__address"], bits), self.banks[memory.name]
        places = asked if memory.lanes_apart else [asked] * memory.banks
        words = [bank[place] for bank, place in zip(banks, places, strict=True)]
        together = sum(word << index * memory.bits for index, word in enumerate(words))
        return unpack(self.shapes[f"{port}__data"], together)

    def draw(self, target: Target) -> dict[str, int]:
        """A STORE of some rows."""
        rows, width = self.targets[target].rows, self.config.width
        first = self.rng.randrange(rows)
        count = self.rng.randint(1, min(rows - first, 20))
        address = self.rng.randrange(1 << 20) * width
        return {"target": target, "first": first, "count": count, "address": address}

    def row(self, target: Target, index: int) -> int:
        """A row as memory should get it."""
        config = self.config
        match target:
            case Target.KEY | Target.VALUE:
                bank, word = kv_word(config, target, index)
                return self.banks["kv"][bank][word]
            case Target.IMPORTANCE:
                sums = b"".join(
                    self.banks["importance"][token % config.lanes][token // config.lanes].to_bytes(
                        4, "little"
                    )
                    for token in self.tokens(index)
                )
                return int.from_bytes(sums, "little")
        return self.banks[PLAIN[target]][0][index]

    def tokens(self, row: int) -> range:
        """Whose importance sums are in a row, uint32 each: of `lanes` tokens, or of those that
        fit.
        """
        in_a_row = min(self.config.lanes, self.config.width // 4)
        return range(row * in_a_row, (row + 1) * in_a_row)

    def rows(self, command: dict[str, int]) -> list[dict[str, int]]:
        """What leaves for a command."""
        target, first, width = command["target"], command["first"], self.config.width
        return [
            {"address": command["address"] + i * width, "data": self.row(target, first + i)}
            for i in range(command["count"])
        ]


@cocotb.test()
async def every_target(dut):
    """A row every READ_CYCLES cycles while the writer takes each at once."""
    bench = await RowStorerBench.on(dut)
    sink, seen = bench.sink("rows"), bench.record("rows__valid")
    for target in [*bench.targets, *bench.targets]:
        command = bench.draw(target)
        seen.clear()
        await bench.commands.send([command])
        begin = bench.cycle
        cycles = await bench.until("idle")
        rows, expected = await sink.receive(sink.pending()), bench.rows(command)
        assert rows == expected, f"{command}: {rows}, expected {expected}"
        first, step = begin + 1 + RowStorer.READ_CYCLES, RowStorer.READ_CYCLES
        leave = range(first, first + len(rows) * step, step)
        assert_equal(f"{command}: cycles of the rows", [cycle for (cycle,) in seen], leave)
        assert_equal(f"{command}: cycles", cycles, leave[-1] + 1 - begin)


@cocotb.test()
async def writer_stalls(dut):
    """Commands wait for their turn, and rows for the writer."""
    bench = await RowStorerBench.on(dut)
    sink = bench.sink("rows", bench.pauses(0.7))
    commands = [bench.draw(target) for target in bench.targets]
    bench.commands.put(commands)
    for command in commands:
        expected = bench.rows(command)
        rows = await sink.receive(len(expected))
        assert rows == expected, f"{command}: {rows}, expected {expected}"
    await bench.until("idle")
    assert_equal("rows beyond the last", sink.pending(), 0)
