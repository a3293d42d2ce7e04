"""Bench of `Bank` with two readers and two writers. Parameters: those of a `Memory`, bits, seed."""

import cocotb
from amaranth.hdl import unsigned

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.interfaces.memories import READ_LATENCY, Memory
from rtl_gen.memory.bank import Bank

UNITS = ("one", "two")


def memory(*, words: int, bits: int, banks: int, chunks: int, **_given) -> Memory:
    """Of unsigned words."""
    return Memory(
        name="memory",
        holds="anything",
        words=words,
        shape=unsigned(bits),
        banks=banks,
        chunks=chunks,
        readers=UNITS,
        writers=UNITS,
        lanes_apart=banks > 1,
    )


class BankBench(UnitBench):
    """Every unit in turn, one writing and one reading in a cycle."""

    def make_unit(self) -> Bank:
        return Bank(memory(**self.given))

    def write(self, address: int, data: int, enable: int, unit: str) -> None:
        """By one unit; the other shows an address and data that must not matter."""
        for name in UNITS:
            mine = name == unit
            port = {"enable": enable, "address": address, "data": data}
            other = {"enable": 0, "address": self.rng.randrange(self.given["words"]), "data": 0}
            self.set(**{f"writes__{name}": port if mine else other})

    def read(self, words: list[int], unit: str) -> None:
        address = words if self.given["banks"] > 1 else words[0]
        for name in UNITS:
            port = {"enable": name == unit, "address": address}
            self.set(**{f"reads__{name}": port if name == unit else {"enable": 0}})


@cocotb.test()
async def reads_what_was_written(dut):
    """Writes of some chunks of one word, reads of all banks at any other word."""
    bench = await BankBench.on(dut)
    rng, words, banks = bench.rng, bench.given["words"], bench.given["banks"]
    bits, chunks = bench.given["bits"], bench.given["chunks"]
    size, all_chunks = bits // chunks, (1 << chunks) - 1
    contents, asked = [[0] * words for _ in range(banks)], []
    actual, expected = [], []
    for cycle in range(banks * words + 400):
        filling = cycle < banks * words
        address = cycle if filling else rng.randrange(banks * words)
        enable = all_chunks if filling else rng.choice([0, rng.randrange(1 << chunks)])
        data, (word, bank) = rng.getrandbits(bits), divmod(address, banks)
        bench.write(address, data, enable, rng.choice(UNITS))
        others = [(word + rng.randrange(1, words)) % words for _ in range(banks)]
        reads = not filling and rng.random() < 0.8
        bench.read(others, rng.choice(UNITS) if reads else "none")
        if reads:
            asked.append((cycle, [contents[b][w] for b, w in enumerate(others)]))
        part = sum(((1 << size) - 1) << i * size for i in range(chunks) if enable >> i & 1)
        contents[bank][word] = contents[bank][word] & ~part | data & part
        await bench.edge
        while asked and asked[0][0] + READ_LATENCY <= cycle:
            answer = asked.pop(0)[1]
            expected.append(answer if banks > 1 else answer[0])
            actual.append(bench.get(f"reads__{UNITS[cycle % 2]}__data"))
    assert_equal("data", actual, expected)
