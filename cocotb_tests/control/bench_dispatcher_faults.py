"""Bench of `Dispatcher` with rows that are lost or refused, and programs that leave their bounds.

Parameters: configuration, seed.
"""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.control.bench_dispatcher import PAGE, DispatcherBench
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode, record_bytes
from rtl_gen.interfaces.targets import Target


@cocotb.test()
async def stops_at_once(dut):
    """A payload that is missing or lost, and a row that memory refuses, stop a program."""
    bench = await DispatcherBench.on(dut)
    load = ({"opcode": Opcode.LOAD, "target": Target.MASK, "count": 8}, 8)
    program = [load, ({"opcode": Opcode.HALT}, 0)]
    rows = record_bytes(bench.config) // bench.config.width
    assert_equal("error", await bench.run(program, rows=rows + 3), ErrorCode.ENDED_EARLY)
    assert bench.payloads == bench.sent[:3]
    assert_equal("error", await bench.run(program, lost=rows + 5), ErrorCode.READ_FAILED)
    assert len(bench.payloads) <= 6
    assert_equal("error", await bench.run(program), ErrorCode.NONE)


@cocotb.test()
async def stays_within_bounds(dut):
    """A program that leaves what it may read asks for nothing of it; a STORE that leaves what may
    be written is not handed on; both pass when they end exactly there."""
    bench = await DispatcherBench.on(dut)
    width, record = bench.config.width, record_bytes(bench.config)
    halt = ({"opcode": Opcode.HALT}, 0)
    reads = range(5 * PAGE, 7 * PAGE)
    bench.bound(reads=reads)
    for address in (0, reads.start - width, reads.stop - record + width, reads.stop):
        assert_equal("error", await bench.run([halt], address=address), ErrorCode.OUT_OF_BOUNDS)
    assert not bench.requests.pending(), "a header out of bounds was asked for"
    for address in (reads.start, reads.stop - 2 * record):
        assert_equal("error", await bench.run([halt], address=address), ErrorCode.NONE)
    error = await bench.run([halt], address=reads.stop - 2 * record + width)
    assert_equal("error", error, ErrorCode.OUT_OF_BOUNDS)
    writes, results = range(3 * PAGE, 4 * PAGE), 2 * PAGE
    bench.bound(writes=writes, results=results)
    rows = 3
    store = {"opcode": Opcode.STORE, "target": Target.RESIDUAL, "count": rows}
    for place, error in {
        results: ErrorCode.OUT_OF_BOUNDS,
        writes.start - width: ErrorCode.OUT_OF_BOUNDS,
        writes.start: ErrorCode.NONE,
        writes.stop - rows * width: ErrorCode.NONE,
        writes.stop - (rows - 1) * width: ErrorCode.OUT_OF_BOUNDS,
        writes.stop: ErrorCode.OUT_OF_BOUNDS,
    }.items():
        program = [(store | {"address": place - results}, 0), halt]
        assert_equal(f"error of a STORE to {place:#x}", await bench.run(program), error)
        bench.check(program, int(error == ErrorCode.NONE))


@cocotb.test()
async def errors_in_neighbouring_cycles(dut):
    """A row that memory refuses in any cycle around a program's end, be that well or not: an error
    of a cycle in which the program runs shows, a later one does not, and the program ends once."""
    bench = await DispatcherBench.on(dut, stall=0)
    load = ({"opcode": Opcode.LOAD, "target": Target.MASK, "count": 8}, 8)
    program = [load, ({"opcode": Opcode.HALT}, 0)]
    payload = record_bytes(bench.config) // bench.config.width + 5
    busy = bench.record("host__busy", "units")
    for lost, ends in ((None, ErrorCode.NONE), (payload, ErrorCode.READ_FAILED)):
        busy.clear()
        assert_equal("error", await bench.run(program, lost=lost), ends)
        errors, length = set(), len(busy)
        for cycle in range(length - 8, length + 5):
            busy.clear()
            refusal = cocotb.start_soon(bench.refuse_row_behind(cycle))
            await bench.run(program, lost=lost)
            await refusal
            await ClockCycles(dut.clk, 4)
            refused = any(units["write_failed"] for _, units in busy)
            expected = ErrorCode.WRITE_FAILED if refused else ends
            name = f"a row refused {cycle} cycles behind the start"
            assert_equal(f"{name}: error", ErrorCode(bench.get("host__error")), expected)
            assert_equal(f"{name}: clears", len(bench.cleared), 1)
            errors.add(expected)
        assert errors == {ErrorCode.WRITE_FAILED, ends}
