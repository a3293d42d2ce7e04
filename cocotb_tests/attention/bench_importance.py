"""Bench of `Importance`. Parameters: configuration, seed."""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from model.tests import formulas
from rtl_gen.attention.importance import Importance
from rtl_gen.interfaces.memories import READ_LATENCY


class ImportanceBench(UnitBench):
    """Presents PV beats and keeps the sums that the unit should hold."""

    UNIT = Importance

    @classmethod
    async def cleared(cls, dut) -> "ImportanceBench":
        bench = await cls.on(dut)
        bench.sums = [[0] * bench.config.lanes for _ in range(bench.config.bank_depth)]
        await bench.clear(range(bench.config.bank_depth))
        await bench.check()
        return bench

    async def clear(self, words) -> None:
        for word in words:
            self.set(clear__valid=1, clear__payload=word)
            self.sums[word] = [0] * self.config.lanes
            await self.edge
        self.set(clear__valid=0)

    async def beat(self, words: list[int | None], exponentials=None, exp_sum=None) -> None:
        """One beat: the word of each lane, None where the lane is idle."""
        rng, lanes = self.rng, range(self.config.lanes)
        exponentials = exponentials or [rng.randint(0, 255) for _ in lanes]
        mantissa, length = formulas.reciprocal(
            exp_sum or rng.randint(255, 255 * self.config.max_tokens)
        )
        addresses = [rng.randrange(self.config.bank_depth) if w is None else w for w in words]
        item = {
            "valid": sum(1 << lane for lane in lanes if words[lane] is not None),
            "word": addresses,
            "exponentials": exponentials,
            "mantissa": mantissa,
            "length": length,
        }
        self.set(beats__payload=item)
        for lane, word in enumerate(words):
            if word is not None:
                probability = formulas.probability(exponentials[lane], mantissa, length)
                self.sums[word][lane] += probability
        await self.pulse("beats__valid")

    async def check(self) -> None:
        """Read every word, one a cycle, from SETTLE cycles after the last beat on."""
        await ClockCycles(self.dut.clk, Importance.SETTLE - 1)
        actual = await self.read("read", range(self.config.bank_depth), READ_LATENCY)
        assert_equal("importance", actual, self.sums)


@cocotb.test()
async def random_beats(dut):
    """Few words, so that a key returns after 1, 2, 3, 4 and more beats; beats without a lane."""
    bench = await ImportanceBench.cleared(dut)
    lanes, rng = range(bench.config.lanes), bench.rng
    for pool in (1, 2, 3, 5, bench.config.bank_depth):
        for _ in range(40):
            beat = [rng.randrange(pool) if rng.random() < 0.8 else None for _ in lanes]
            await bench.beat(beat)
        await bench.check()


@cocotb.test()
async def same_key_at_every_distance(dut):
    """One key, twice, with 0 to 5 beats of another or of none between."""
    bench = await ImportanceBench.cleared(dut)
    lanes = bench.config.lanes
    for between in (1, None):
        for distance in range(6):
            for word in (0, *[between] * distance, 0):
                await bench.beat([word] * lanes)
            await bench.check()


@cocotb.test()
async def extremes(dut):
    """A certain key, and the smallest and the largest sum of exponentials."""
    bench = await ImportanceBench.cleared(dut)
    lanes, last = bench.config.lanes, bench.config.bank_depth - 1
    for exp_sum in (255, 256, 511, 512, 255 * bench.config.max_tokens):
        for exponential in (0, 1, 128, 255):
            await bench.beat([last] * lanes, [exponential] * lanes, exp_sum)
    await bench.check()


@cocotb.test()
async def clears_some_words(dut):
    bench = await ImportanceBench.cleared(dut)
    for word in range(bench.config.bank_depth):
        await bench.beat([word] * bench.config.lanes)
    await ClockCycles(dut.clk, Importance.SETTLE)
    await bench.clear(range(0, bench.config.bank_depth, 2))
    await bench.check()
