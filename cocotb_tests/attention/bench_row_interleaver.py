"""Bench of `RowInterleaver`: the order of the array's beats and their pace.

Parameters: configuration, seed. The bench takes the place of the output queue: a finished row
leaves its place in a cycle without a pause.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise, repeat

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import random_pauses
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.interfaces.memories import OUTPUT_ROWS


def turns(rows: int, slots: int) -> list[tuple[bool, int]]:
    """(is PV, row) in the fixed order: QK^T is `slots` rows ahead."""
    order = [(False, row) for row in range(min(rows, slots))]
    for row in range(rows):
        order.append((True, row))
        if row + slots < rows:
            order.append((False, row + slots))
    return order


class InterleaverBench(UnitBench):
    """`issued` are the (cycle, beat) of the array, `finished` how many PV rows have ended."""

    UNIT = RowInterleaver

    def __init__(self, dut, *, beats: float = 0.0, output: Iterable[bool] = repeat(False)):
        super().__init__(dut)
        self.qk = self.source("qk", self.pauses(beats))
        self.pv = self.source("pv", self.pauses(beats))
        self.issued = self.record("issue__valid", "issue__payload")
        self.expected: list[dict] = []
        cocotb.start_soon(self._output(iter(output)))

    @property
    def finished(self) -> int:
        return sum(bool(beat["is_pv"] and beat["beat"]["last"]) for _, beat in self.issued)

    async def _output(self, pauses) -> None:
        """At most one row a cycle leaves; never more than OUTPUT_ROWS are there."""
        left = 0
        while True:
            waiting = self.finished - left
            assert waiting <= OUTPUT_ROWS, f"{waiting} finished rows"
            leaves = waiting > 0 and not next(pauses)
            self.set(freed__valid=leaves)
            await self.edge
            left += leaves

    async def begin(self, lengths: Sequence[int]) -> None:
        """One head of rows with these numbers of beats, all of which wait."""
        rows = [
            {
                port: [
                    self.random(
                        f"{port}__payload", first=int(beat == 0), last=int(beat == length - 1)
                    )
                    for beat in range(length)
                ]
                for port in ("qk", "pv")
            }
            for length in lengths
        ]
        for is_pv, row in turns(len(rows), self.config.row_slots):
            for beat in rows[row]["pv" if is_pv else "qk"]:
                self.expected.append({"is_pv": is_pv, **beat})
        self.set(start__payload=len(lengths))
        await self.pulse("start__valid")
        for row in rows:
            self.qk.put(row["qk"])
            self.pv.put(row["pv"])

    async def run(self, lengths: Sequence[int]) -> None:
        """`begin`, until all beats were issued and all finished rows have left."""
        before = len(self.issued)
        await self.begin(lengths)
        while len(self.issued) < before + 2 * sum(lengths):
            await self.edge
        await ClockCycles(self.dut.clk, 2)
        while int(self.dut.freed__valid.value):
            await self.edge
        self.compare()

    def compare(self) -> None:
        for index, (_, issue) in enumerate(self.issued):
            wanted, found = self.expected[index], issue["beat"]
            if not wanted["is_pv"]:
                found = {name: found[name] for name in ("valid", "word", "first", "last")}
                found["token"] = issue["beat"]["row"]["token"]
            found = {"is_pv": bool(issue["is_pv"]), **found}
            assert found == wanted, f"beat {index}: expected {wanted}, actual {found}"
        assert_equal("beats", len(self.issued), len(self.expected))

    def heads(self) -> list[list[int]]:
        """Row lengths of several heads: fewer rows than slots, as many, more; short and long."""
        depth, slots, rng = self.config.bank_depth, self.config.row_slots, self.rng
        return [
            [1],
            [depth],
            [1] * (slots - 1),
            [2] * slots,
            [depth] * (slots + 1),
            [1] * (3 * slots),
            [rng.randint(1, depth) for _ in range(self.config.max_tokens)],
        ]

    def last_pv_cycles(self) -> list[int]:
        return [cycle for cycle, beat in self.issued if beat["is_pv"] and beat["beat"]["last"]]


@cocotb.test()
async def order(dut):
    """No stalls: every head in its order, PV rows never closer than the output unit can take."""
    bench = await InterleaverBench.on(dut)
    pace = RowInterleaver.output_cycles(bench.config)
    for lengths in bench.heads():
        await bench.run(lengths)
    ends = bench.last_pv_cycles()
    assert all(b - a >= pace for a, b in pairwise(ends)), ends


@cocotb.test()
async def no_idle_cycle(dut):
    """Rows longer than the output unit's pace keep the array busy from first to last beat."""
    bench = await InterleaverBench.on(dut)
    depth = bench.config.bank_depth
    assert depth >= RowInterleaver.output_cycles(bench.config)
    begin = bench.cycle
    await bench.run([depth] * (2 * bench.config.row_slots))
    cycles = [cycle - begin for cycle, _ in bench.issued]
    first = 1 + RowInterleaver.LATENCY + 1  # the start, a beat taken, seen at the end of a cycle
    assert_equal("issue cycles", cycles, range(first, first + len(cycles)))


@cocotb.test()
async def short_rows_wait_for_the_output_unit(dut):
    """PV rows of one beat end exactly at the output unit's pace."""
    bench = await InterleaverBench.on(dut)
    pace = RowInterleaver.output_cycles(bench.config)
    await bench.run([1] * (4 * bench.config.row_slots))
    ends = bench.last_pv_cycles()
    assert_equal("last PV beats", ends, range(ends[0], ends[0] + pace * len(ends), pace))


@cocotb.test()
async def finished_rows_wait(dut):
    """While no finished row leaves, exactly OUTPUT_ROWS rows are finished."""
    stopped = True
    bench = await InterleaverBench.on(dut, output=iter(lambda: stopped, None))
    await bench.begin([2] * bench.config.max_tokens)
    enough = 400 + bench.config.max_tokens * RowInterleaver.output_cycles(bench.config)
    await ClockCycles(dut.clk, enough)
    assert_equal("finished rows", bench.finished, OUTPUT_ROWS)
    stopped = False
    await ClockCycles(dut.clk, enough)
    bench.compare()


@cocotb.test()
async def stalls_everywhere(dut):
    """Late beats and a slow consumer change the pace and nothing else."""
    bench = await InterleaverBench.on(dut, beats=0.4, output=random_pauses(0.9, 2))
    for lengths in bench.heads():
        await bench.run(lengths)
