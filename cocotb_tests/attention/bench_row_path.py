"""Bench of `RowPath`: the order of the array's beats, their contents and their pace.

Parameters: configuration, seed. The bench takes the place of softmax (random exponentials, a delay)
and of the output queue (rows leave it after a delay).
"""

import random
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSource, random_pauses
from rtl_gen.attention.exponentials import exponentials_layout
from rtl_gen.attention.normalisation import normalised_row_layout
from rtl_gen.attention.row_interleaver import RowInterleaver, issue_layout
from rtl_gen.attention.row_slots import slot_write_layout
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import beat_layout
from rtl_gen.interfaces.packing import pack, unpack

TIMEOUT_CYCLES = 20_000


def turns(rows: int, slots: int) -> list[tuple[bool, int]]:
    """(is PV, row) in the fixed order: QK^T is `slots` rows ahead."""
    order = [(False, row) for row in range(min(rows, slots))]
    for row in range(rows):
        order.append((True, row))
        if row + slots < rows:
            order.append((False, row + slots))
    return order


class Bench:
    """Plays the units around the row path and records what the array is given, cycle by cycle."""

    def __init__(
        self,
        dut,
        *,
        beat_pauses: Iterable[bool] | None = None,
        softmax_delay: int = 0,
        output_pauses: Iterable[bool] = (),
    ):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.softmax_delay = softmax_delay
        self.output_pauses = iter(output_pauses)
        self.issue_shape = issue_layout(self.config)
        self.exp_shape = slot_write_layout(self.config, exponentials_layout(self.config))
        self.qk = StreamSource(dut, "qk", beat_layout(self.config), beat_pauses)
        self.rows = StreamSource(dut, "rows", normalised_row_layout(self.config))
        self.edge = RisingEdge(dut.clk)
        self.issued: list[tuple[int, dict]] = []
        self.descriptions: list[dict] = []
        self.exponentials: list[list[list[int]]] = []
        self.finished = self.taken = self.cycle = 0
        self.slot = 0
        self.scored: deque[tuple[int, int]] = deque()
        cocotb.start_soon(self._watch())
        cocotb.start_soon(self._softmax())
        cocotb.start_soon(self._output())

    async def _watch(self) -> None:
        """Record issued beats; pass on the rows whose last beat they are."""
        scored = 0
        while True:
            await self.edge
            self.cycle += 1
            if not int(self.dut.issue__valid.value):
                continue
            issue = unpack(self.issue_shape, int(self.dut.issue__payload.value))
            self.issued.append((self.cycle, issue))
            if issue["beat"]["last"] and issue["is_pv"]:
                self.finished += 1
                outside = self.finished - self.taken
                assert outside <= RowInterleaver.OUTPUT_ROWS, f"{outside} finished rows"
            elif issue["beat"]["last"]:
                self.scored.append((self.cycle, scored))
                scored += 1

    async def _softmax(self) -> None:
        """`softmax_delay` cycles after a row's last QK^T beat its exponentials, then the row."""
        dut = self.dut
        while True:
            while not self.scored or self.cycle < self.scored[0][0] + self.softmax_delay:
                await self.edge
            _, row = self.scored.popleft()
            for beat, exponentials in enumerate(self.exponentials[row]):
                address = self.slot << self.config.word_bits | beat
                item = {"address": address, "data": exponentials}
                dut.exponentials__valid.value = 1
                dut.exponentials__payload.value = pack(self.exp_shape, item)
                await self.edge
            dut.exponentials__valid.value = 0
            self.slot = (self.slot + 1) % self.config.row_slots
            self.rows.put([self.descriptions[row]])

    async def _output(self) -> None:
        """A finished row leaves, one a cycle at most, in cycles without a pause."""
        while True:
            leaves = self.finished > self.taken and not next(self.output_pauses, False)
            self.dut.output_taken.value = leaves
            await self.edge
            self.taken += leaves

    async def run(self, lengths: list[int]) -> list[tuple[int, dict]]:
        """One head of rows with these numbers of beats; returns (cycle, issue) of every beat."""
        self.begin(lengths)
        total = 2 * sum(lengths)

        async def finish() -> None:
            while len(self.issued) < total or self.taken < self.finished:
                await self.edge

        await with_timeout(finish(), TIMEOUT_CYCLES * CLOCK_PERIOD_NS, "ns")
        return self.compare(lengths)

    def begin(self, lengths: list[int]) -> None:
        rng, config = self.rng, self.config
        lanes = range(config.lanes)
        self.issued.clear()
        self.first_row = len(self.exponentials)
        self.beats = []
        for length in lengths:
            row = {
                name: rng.getrandbits(len(field))
                for name, field in (
                    ("token", range(config.token_bits)),
                    ("mantissa", range(16)),
                    ("length", range(4)),
                    ("multiplier", range(16)),
                    ("shift", range(6)),
                )
            }
            self.descriptions.append(row | {"last_beat": length - 1})
            self.exponentials.append([[rng.randint(0, 255) for _ in lanes] for _ in range(length)])
            self.beats.append(
                [
                    {
                        "valid": rng.getrandbits(config.lanes),
                        "word": [rng.randrange(config.bank_depth) for _ in lanes],
                        "token": row["token"],
                        "first": int(beat == 0),
                        "last": int(beat == length - 1),
                    }
                    for beat in range(length)
                ]
            )
        self.dut.start__payload.value = len(lengths)
        self.dut.start__valid.value = 1
        cocotb.start_soon(self._end_start())
        for beats in self.beats:
            self.qk.put(beats)

    async def _end_start(self) -> None:
        await self.edge
        self.dut.start__valid.value = 0

    def compare(self, lengths: list[int]) -> list[tuple[int, dict]]:
        expected = []
        for is_pv, row in turns(len(lengths), self.config.row_slots):
            for index, beat in enumerate(self.beats[row]):
                description = self.descriptions[self.first_row + row]
                exponentials = self.exponentials[self.first_row + row][index]
                wanted = {name: beat[name] for name in ("valid", "word", "first", "last")}
                wanted |= {"is_pv": is_pv, "token": beat["token"]}
                if is_pv:
                    wanted |= {"exponentials": exponentials, "row": description}
                expected.append(wanted)
        actual = []
        for _, issue in self.issued:
            beat = issue["beat"]
            found = {name: beat[name] for name in ("valid", "word", "first", "last")}
            found |= {"is_pv": bool(issue["is_pv"]), "token": beat["row"]["token"]}
            if issue["is_pv"]:
                found |= {"exponentials": beat["exponentials"], "row": beat["row"]}
            actual.append(found)
        for index, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
            assert found == wanted, f"beat {index}: expected {wanted}, actual {found}"
        return list(self.issued)

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


def last_pv_cycles(issued: list[tuple[int, dict]]) -> list[int]:
    return [cycle for cycle, issue in issued if issue["is_pv"] and issue["beat"]["last"]]


@cocotb.test()
async def order(dut):
    """No stalls: every head in its order, PV rows never closer than the output unit can take."""
    await start(dut)
    bench = Bench(dut)
    pace = RowInterleaver.output_cycles(bench.config)
    for lengths in bench.heads():
        ends = last_pv_cycles(await bench.run(lengths))
        assert all(b - a >= pace for a, b in pairwise(ends)), ends


@cocotb.test()
async def no_idle_cycle(dut):
    """Rows longer than the output unit's pace keep the array busy from first to last beat."""
    await start(dut)
    bench = Bench(dut)
    pace = RowInterleaver.output_cycles(bench.config)
    lengths = [bench.config.bank_depth] * (2 * bench.config.row_slots)
    assert bench.config.bank_depth >= pace
    cycles = [cycle for cycle, _ in await bench.run(lengths)]
    assert_equal("issue cycles", cycles, range(cycles[0], cycles[0] + len(cycles)))


@cocotb.test()
async def short_rows_wait_for_the_output_unit(dut):
    """PV rows of one beat end exactly at the output unit's pace."""
    await start(dut)
    bench = Bench(dut)
    pace = RowInterleaver.output_cycles(bench.config)
    ends = last_pv_cycles(await bench.run([1] * (4 * bench.config.row_slots)))
    assert_equal("last PV beats", ends, range(ends[0], ends[0] + pace * len(ends), pace))


@cocotb.test()
async def finished_rows_wait(dut):
    """While no finished row leaves, exactly OUTPUT_ROWS rows are finished."""
    stopped = True
    await start(dut)
    bench = Bench(dut, output_pauses=iter(lambda: stopped, None))
    lengths = [2] * bench.config.max_tokens
    bench.begin(lengths)
    await ClockCycles(dut.clk, 400)
    assert_equal("finished rows", bench.finished, RowInterleaver.OUTPUT_ROWS)
    stopped = False
    await ClockCycles(dut.clk, 400)
    bench.compare(lengths)


@cocotb.test()
async def stalls_everywhere(dut):
    """Late beats, a slow softmax and a slow consumer change the pace and nothing else."""
    await start(dut)
    bench = Bench(
        dut,
        beat_pauses=random_pauses(0.4, 1),
        softmax_delay=37,
        output_pauses=random_pauses(0.9, 2),
    )
    for lengths in bench.heads():
        await bench.run(lengths)
