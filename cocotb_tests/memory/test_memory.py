"""On-chip memories on both simulators, and on Amaranth's own."""

import random

import pytest
from amaranth.hdl import unsigned
from amaranth.sim import Simulator

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.runner import simulate
from cocotb_tests.harness.units import run_unit
from cocotb_tests.memory.guarded_memory import GuardedMemory
from cocotb_tests.memory.some_memory import some_memory
from cocotb_tests.memory.words import Words
from rtl_gen.memory.bank import Bank
from rtl_gen.memory.row_memory import RowMemory

WORDS, BITS = 6, 12


@pytest.mark.parametrize("chunks", [1, 3])
def test_row_memory(simulator, chunks):
    unit = RowMemory(depth=WORDS, shape=unsigned(BITS), chunks=chunks)
    run_unit(simulator, unit, depth=WORDS, bits=BITS, chunks=chunks, seed=2)


@pytest.mark.parametrize("chunks", [1, 3])
def test_parity(chunks):
    """On Icarus, where a flag that depends on an unknown word is unknown, too."""
    simulate(
        GuardedMemory(depth=WORDS, shape=unsigned(6 * BITS), chunks=chunks),
        name="guarded",
        simulator="icarus",
        bench="cocotb_tests.memory.bench_parity",
        parameters={"depth": WORDS, "bits": 6 * BITS, "chunks": chunks, "seed": 2},
    )


def test_row_memory_in_amaranth():
    """Without Verilog: what is built on memories can be tried in a second."""
    unit = RowMemory(depth=WORDS, shape=unsigned(BITS), chunks=3)
    words, rng = Words(WORDS, BITS, 3), random.Random(2)
    actual, expected = [], []

    async def drive(context):
        for cycle in range(100):
            write = words.write(rng, cycle % WORDS, rng.randrange(8) if cycle >= WORDS else 7)
            read = {"enable": cycle >= WORDS, "address": (cycle + 1) % WORDS}
            expected.append(words[read["address"]])
            for port, values in ((unit.write, write), (unit.read, read)):
                for name, value in values.items():
                    context.set(getattr(port, name), value)
            await context.tick()
            actual.append(context.get(unit.read.data))

    simulator = Simulator(unit)
    simulator.add_clock(1e-9)
    simulator.add_testbench(drive)
    simulator.run()
    assert_equal("data", actual[WORDS:], expected[WORDS:])


@pytest.mark.parametrize(("banks", "chunks"), [(1, 3), (2, 1), (4, 3)])
def test_bank(simulator, banks, chunks):
    memory = {"words": WORDS, "bits": BITS, "banks": banks, "chunks": chunks}
    parameters = {"testcase": "any_unit_reads_what_any_wrote", "memory": memory, "seed": 2}
    run_unit(simulator, Bank(some_memory(**memory)), **parameters)


@pytest.mark.parametrize(("ports", "done"), [("reads", "read"), ("writes", "written")])
def test_two_units_at_once_stop_the_simulation(simulator, ports, done):
    memory = {"words": WORDS, "bits": BITS, "banks": 2, "chunks": 1}
    parameters = {"testcase": "two_at_once", "memory": memory, "collide": ports, "seed": 2}
    message = f"some: {done} by two units"
    run_unit(simulator, Bank(some_memory(**memory)), stops=message, **parameters)
