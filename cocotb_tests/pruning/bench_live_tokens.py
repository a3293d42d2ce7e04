"""Bench of `LiveTokens`. Parameters: configuration, trials, seed."""

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.interfaces.memories import LIST_LATENCY
from rtl_gen.pruning.live_tokens import LiveTokens


class LiveTokensBench(UnitBench):
    UNIT = LiveTokens

    async def check(self, label: str, live: list[int]) -> None:
        """The bitmap, the count and the list, the latter read with stalls."""
        assert_equal(f"{label}: live map", self.get("live"), sum(1 << token for token in live))
        assert_equal(f"{label}: live count", self.get("count"), len(live))
        tokens = await self.read("read", range(len(live)), LIST_LATENCY, self.pauses(0.25))
        assert_equal(f"{label}: token list", tokens, live)


def lengths(bench: LiveTokensBench) -> list[int]:
    """Sequence lengths around the words' boundaries, and random ones."""
    lanes, longest = bench.config.lanes, bench.config.max_tokens
    edges = [1, 2, lanes, lanes + 1, longest - 1, longest]
    return edges + [bench.rng.randint(1, longest) for _ in range(bench.given["trials"])]


@cocotb.test()
async def fills(dut):
    """Any number of tokens can be made live, whatever was live before."""
    bench = await LiveTokensBench.on(dut)
    fill = bench.source("fill")
    for tokens in lengths(bench):
        await fill.send([tokens])
        cycles = await bench.until("done")
        await bench.check(f"fill {tokens}", list(range(tokens)))
        assert_equal("fill cycles", cycles, LiveTokens.fill_latency(bench.config))


@cocotb.test()
async def queued_fills(dut):
    """A fill is taken when the unit is through with the one before."""
    bench = await LiveTokensBench.on(dut)
    queued = [bench.config.max_tokens, 1, bench.config.max_tokens - 1]
    bench.source("fill").put(queued)
    for _ in queued:
        await bench.until("done")
    await bench.check("queued fills", list(range(queued[-1])))


@cocotb.test()
async def keeps(dut):
    """Keep words with gaps between them make any set of tokens live, word by word."""
    bench = await LiveTokensBench.on(dut)
    rng, lanes = bench.rng, bench.config.lanes
    every = (1 << lanes) - 1
    fill, keep = bench.source("fill"), bench.source("keep", bench.pauses(0.2))
    for tokens in lengths(bench):
        await fill.send([tokens])
        await bench.until("done")
        density = rng.choice([0.0, 0.1, 0.5, 1.0])
        live = [j for j in range(tokens) if j == 0 or rng.random() < density]
        words = range(-(-tokens // lanes))
        bits = sum(1 << token for token in live)
        await keep.send(
            {"word": word, "bits": bits >> word * lanes & every, "last": word == words[-1]}
            for word in words
        )
        cycles = await bench.until("done")
        assert_equal("update cycles", cycles, LiveTokens.UPDATE_LATENCY)
        await bench.check(f"{len(live)} of {tokens}", live)
