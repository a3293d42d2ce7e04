"""Bench of `RangeCheck`. Parameters: configuration, seed."""

import cocotb

from cocotb_tests.control.commands import draw_command
from cocotb_tests.control.legality import field_errors, goes_beyond
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.control.range_check import RangeCheck


class RangeCheckBench(UnitBench):
    UNIT = RangeCheck


@cocotb.test()
async def stays_inside(dut):
    """Commands with good fields and any number of tokens, many of them around a memory's end."""
    bench = await RangeCheckBench.on(dut)
    arguments, expected = [], []
    while len(arguments) < 3000:
        command, most = draw_command(bench.config, bench.rng), bench.config.max_tokens
        tokens = bench.rng.choice([1, most, bench.rng.randint(1, most)])
        if any(field_errors(bench.config, command, tokens)):
            continue
        stays = bench.rng.random() < 0.5
        argument = {"command": command, "last_token": tokens - 1, "first_stays": stays}
        arguments.append({"check__argument": argument})
        expected.append(goes_beyond(bench.config, command, tokens, first_stays=stays))
    results = await bench.pipeline(arguments, ["check__result"], RangeCheck.LATENCY)
    assert_equal("beyond", [result["check__result"] for result in results], expected)
    assert 300 < sum(expected) < 2700
