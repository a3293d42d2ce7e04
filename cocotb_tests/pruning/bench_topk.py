"""Bench of `TopK`; the importance memory is Python. Parameters: configuration, trials, seed."""

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.pruning.importance import IMPORTANCE, survivors
from rtl_gen.interfaces.memories import READ_LATENCY
from rtl_gen.pruning.topk import TopK


class TopKBench(UnitBench):
    """Any sums of any live tokens."""

    UNIT = TopK

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.sums: list[list[int]] = []
        self.serve("sort", self._word, READ_LATENCY)
        self.keep = self.record("keep__valid", "keep__payload")
        self.cleared = self.record("clear__valid", "clear__payload")
        self.start = self.source("start")

    def _word(self, address: int) -> list[int]:
        return self.sums[address] if address < len(self.sums) else [0] * self.config.lanes

    async def select(
        self, live: list[int], importance: list[int], keep: int, prefix: int, label: str
    ) -> None:
        """Sums of tokens that don't exist are garbage."""
        lanes, tokens = self.config.lanes, len(importance)
        words = -(-tokens // lanes)
        padded = importance + [self.rng.getrandbits(self.config.importance_bits)] * lanes
        self.sums = [padded[word * lanes : (word + 1) * lanes] for word in range(words)]
        self.set(live=sum(1 << token for token in live))
        self.keep.clear(), self.cleared.clear()
        await self.start.send([{"tokens": tokens, "keep": keep, "prefix": prefix}])
        begin = self.cycle
        self.set(start__payload=self.random("start__payload"))
        await self.until("start__ready")
        cycles, kept = zip(*self.keep, strict=True)
        last = begin + TopK.latency(self.config, tokens)
        assert_equal(f"{label}: cycles", list(cycles), list(range(last - words + 1, last + 1)))
        bits = sum(word["bits"] << (word["word"] * lanes) for word in kept)
        chosen = [token for token in range(words * lanes) if bits >> token & 1]
        assert_equal(f"{label}: kept", chosen, survivors(live, importance, keep, prefix))
        assert_equal(f"{label}: words", [word["word"] for word in kept], list(range(words)))
        assert_equal(f"{label}: last", [word["last"] for word in kept], [0] * (words - 1) + [1])
        assert_equal(f"{label}: cleared", [word for _, word in self.cleared], list(range(words)))


@cocotb.test()
async def keeps_the_best(dut):
    """Every distribution of the importance, of all and of some tokens of many lengths."""
    bench = await TopKBench.on(dut)
    rng, lanes, longest = bench.rng, bench.config.lanes, bench.config.max_tokens
    for name, draw in IMPORTANCE.items():
        for tokens in [rng.choice([1, 2, lanes, lanes + 1]), rng.randint(1, longest), longest]:
            density = rng.choice([0.0, 0.1, 0.5, 1.0])
            live = [j for j in range(tokens) if rng.random() < density] or [tokens - 1]
            edges = {1, max(1, len(live) - 1), len(live), min(len(live) + 1, longest), longest}
            for keep in rng.sample(sorted(edges), min(2, len(edges))):
                importance = draw(rng, bench.config, tokens)
                prefix = rng.randint(0, min(5, keep))
                label = f"{name}, n = {tokens}, {len(live)} live, k = {keep}, prefix {prefix}"
                await bench.select(live, importance, keep, prefix, label)


@cocotb.test()
async def every_keep(dut):
    """Each k from 1 to beyond the live tokens, with many ties."""
    bench = await TopKBench.on(dut)
    tokens = min(bench.config.max_tokens, 8 * bench.given["trials"])
    live = [j for j in range(tokens) if j % 3 != 1]
    for keep in range(1, min(len(live) + 3, bench.config.max_tokens + 1)):
        importance = [bench.rng.randrange(3) << 13 for _ in range(tokens)]
        prefix = bench.rng.randint(0, min(5, keep))
        await bench.select(live, importance, keep, prefix, f"ties, k = {keep}, prefix {prefix}")


@cocotb.test()
async def every_prefix(dut):
    """Prefixes of any length, to all tokens that stay: the first tokens are the least important."""
    bench = await TopKBench.on(dut)
    longest = bench.config.max_tokens
    live = [j for j in range(longest) if j % 5 != 3]
    importance = list(range(longest))
    for prefix in sorted({*range(6), *bench.rng.sample(range(longest), 4), longest}):
        keep = bench.rng.randint(max(prefix, 1), longest)
        for count in {max(prefix, 1), keep}:
            label = f"prefix {prefix}, k = {count}"
            await bench.select(live, importance, count, prefix, label)
