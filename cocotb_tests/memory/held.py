"""What every memory does that has the ports `read` and `write`."""

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.memory.words import Words


async def check_output_is_held(bench: UnitBench) -> None:
    """Data changes a cycle after an enabled read, and never without one; chunks stay as they are
    without their enable.
    """
    rng, chunks = bench.rng, bench.given["chunks"]
    words = Words(bench.given["depth"], bench.given["bits"], chunks)
    for address in range(words.depth):
        bench.set(write=words.write(rng, address, (1 << chunks) - 1))
        await bench.edge
    actual, expected, held = [], [], None
    for cycle in range(300):
        written = rng.randrange(words.depth)
        enable = cycle == 0 or rng.random() < 0.5
        address = (written + rng.randrange(1, words.depth)) % words.depth
        held = words[address] if enable else held
        bench.set(read={"enable": enable, "address": address})
        bench.set(write=words.write(rng, written, rng.randrange(1 << chunks)))
        await bench.edge
        if cycle:
            actual.append(bench.get("read__data"))
        expected.append(held)
    assert_equal("data", actual, expected[:-1])
