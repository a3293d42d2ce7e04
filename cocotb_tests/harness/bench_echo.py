"""Bench of `Echo`. Parameters: seed; items and pause probabilities; or which fault to provoke."""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.bench import TOLD_CYCLES, report, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.echo import FORBIDDEN_TOKEN, ITEM, Echo
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.interfaces.packing import pack, unpack


class EchoBench(UnitBench):
    def __init__(self, dut):
        super().__init__(dut)
        self.to_echo = self.source("source", self.pauses(self.given["source_pauses"]))
        self.echoes = self.sink("sink", self.pauses(self.given["sink_pauses"]))

    def make_unit(self) -> Echo:
        return Echo()


@cocotb.test()
async def items_pass(dut):
    """Every item leaves once, in order; reports the cycles and the memory's word at power-up."""
    bench = await EchoBench.on(dut)
    report(word=pack(ITEM, bench.get("word")))
    seen, begin = bench.record("sink__ready", "sink__valid", "sink__payload"), bench.cycle
    items = [
        bench.random("source__payload", token=bench.rng.randrange(FORBIDDEN_TOKEN))
        for _ in range(bench.given["items"])
    ]
    bench.to_echo.put(items)
    assert_equal("items", await bench.echoes.receive(len(items)), items)
    report(cycles=bench.cycle - begin)
    assert_equal("recorded", [item for _, valid, item in seen if valid], items)
    assert_equal("last cycle", seen[-1][0], bench.cycle)
    assert [unpack(ITEM, pack(ITEM, item)) for item in items] == items


@cocotb.test()
async def wrong_expectation(dut):
    """Fails: the design returns 5, the bench expects 6."""
    bench = await EchoBench.on(dut)
    bench.to_echo.put([{"score": -1, "token": 5}])
    (item,) = await bench.echoes.receive(1)
    assert_equal("token", [item["token"]], [6])


@cocotb.test()
async def forbidden_token(dut):
    """Fails if the simulator stops on the assertion of the design; the bench itself passes."""
    bench = await EchoBench.on(dut)
    bench.to_echo.put([{"score": 0, "token": FORBIDDEN_TOKEN}])
    await bench.echoes.receive(1)


@cocotb.test()
async def missing_item(dut):
    """Fails: nothing was sent, so nothing comes within the time limit."""
    bench = await EchoBench.on(dut)
    await bench.echoes.receive(1, timeout_cycles=50)


@cocotb.test()
async def too_long(dut):
    """Fails: nothing was sent, so nothing comes within the bench's limit."""
    EchoBench.LIMIT_CYCLES = 50
    await (await EchoBench.on(dut)).until("sink__valid")


@cocotb.test()
async def long(dut):
    """Passes; it tells twice how far it is."""
    await start(dut)
    await ClockCycles(dut.clk, 2 * TOLD_CYCLES)
    report(told=2 * TOLD_CYCLES)
