"""Bench of `Decoder`. Parameters: configuration, seed."""

import cocotb

from cocotb_tests.control.commands import draw_command
from cocotb_tests.control.legality import cores_of, field_errors, waits
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.control.commands import COMMANDS, Opcode
from rtl_gen.control.decode import Decoder
from rtl_gen.interfaces.program import ErrorCode


class DecoderBench(UnitBench):
    UNIT = Decoder


@cocotb.test()
async def knows_every_command(dut):
    """One command a cycle, legal or not."""
    bench = await DecoderBench.on(dut)
    arguments, expected = [], []
    for _ in range(3000):
        command, no_tokens = draw_command(bench.config, bench.rng), bench.rng.random() < 0.2
        arguments.append({"decode__argument": {"command": command, "no_tokens": no_tokens}})
        error = next(field_errors(bench.config, command, not no_tokens), ErrorCode.NONE)
        runs = [command["opcode"] == number for number in range(len(COMMANDS))]
        good = error == ErrorCode.NONE
        cores = cores_of(bench.config, command)
        from_host = bool(command["opcode"] == Opcode.LOAD and command["input"])
        expected.append((runs, error, good and waits(command), good and cores, from_host))
    results = await bench.pipeline(arguments, ["decode__result"], Decoder.LATENCY)
    actual = []
    for (_, error, *_), result in zip(expected, results, strict=True):
        decoded = result["decode__result"]
        good, cores = error == ErrorCode.NONE, decoded.get("cores", 1)
        waiting = good and bool(decoded["waits"])
        from_host = bool(decoded["from_host"])
        actual.append((decoded["runs"], decoded["error"], waiting, good and cores, from_host))
    for index, name in enumerate(("runs", "error", "waits", "cores", "from_host")):
        assert_equal(name, [x[index] for x in actual], [x[index] for x in expected])
    assert len({error for _, error, *_ in expected}) == 6
