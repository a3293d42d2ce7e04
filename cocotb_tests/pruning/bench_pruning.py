"""Bench of `PruningStage`. Parameters: the configuration's choices, trials, a seed.

The expectation is a sort by (importance descending, index ascending), and sets of Python integers.
"""

import random
from collections.abc import Callable

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.live_tokens import keep_words
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.pruning.pruning_stage import PruningStage
from rtl_gen.config import AcceleratorConfig
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.topk import TopK
from sim_models.pruning import fill_cycles, prune_cycles


def survivors(live: list[int], importance: list[int], keep: int) -> list[int]:
    """Independent expectation: CLS, then the largest importance, then the lowest index."""
    ranking = sorted(live, key=lambda token: (token != 0, -importance[token], token))
    return sorted(ranking[:keep])


IMPORTANCE: dict[str, Callable[[random.Random, AcceleratorConfig, int], list[int]]] = {
    "uniform": lambda rng, config, n: [rng.getrandbits(config.importance_bits) for _ in range(n)],
    "attention": lambda rng, config, n: _attention_sums(rng, config, n),
    "few levels": lambda rng, config, n: [
        rng.choice([0, 1, 16, 1 << 20, (1 << config.importance_bits) - 1]) for _ in range(n)
    ],
    "low digit": lambda rng, _config, n: [rng.randrange(4) for _ in range(n)],
    "high digit": lambda rng, config, n: [
        rng.randrange(16) << (config.importance_bits - 4) for _ in range(n)
    ],
    "ascending": lambda _rng, _config, n: list(range(n)),
    "descending": lambda _rng, _config, n: list(range(n, 0, -1)),
    "equal": lambda rng, config, n: [rng.getrandbits(config.importance_bits)] * n,
    "zero": lambda _rng, _config, n: [0] * n,
    "largest": lambda _rng, config, n: [(1 << config.importance_bits) - 1] * n,
}


def _attention_sums(rng: random.Random, config: AcceleratorConfig, n: int) -> list[int]:
    """Column sums of attention as they are in practice: log-normal, one for each row and head."""
    weights = [rng.lognormvariate(0, 0.8) for _ in range(n)]
    total = (n * config.max_heads) << 16
    return [int(total * weight / sum(weights)) for weight in weights]


class PruningBench(UnitBench):
    """What a program does with the stage; `live` is the set that it should then hold."""

    UNIT = PruningStage

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.trials = self.given["trials"]
        self.fill_port = self.source("fill")
        self.start_port = self.source("start")
        self.load_port = self.source("load", self.pauses(0.2))
        self.deposit_port = self.source("deposit")
        self.tokens = 0
        self.live: list[int] = []

    @property
    def words(self) -> int:
        return -(-self.tokens // self.config.lanes)

    async def fill(self, tokens: int) -> None:
        """Make 0 .. tokens - 1 live."""
        self.fill_port.put([tokens])
        await self.until("done")
        self.tokens, self.live = tokens, list(range(tokens))
        await self.check("fill")
        assert_equal("fill cycles", self.get("update_cycles"), fill_cycles(self.config))

    async def load(self, live: list[int]) -> None:
        """Make a subset of 0 .. tokens - 1 live, by keep words with gaps between them."""
        self.load_port.put(keep_words(live, self.words, self.config.lanes))
        await self.until("done")
        self.live = live
        await self.check("load")

    async def prune(self, importance: list[int], keep: int, label: str) -> None:
        """Deposit the sums, with garbage for tokens that don't exist, and keep the best tokens."""
        lanes, bits = self.config.lanes, self.config.importance_bits
        padding = [self.rng.getrandbits(bits) for _ in range(self.words * lanes - self.tokens)]
        padded = importance + padding
        await self.deposit_port.send(
            {"address": word, "sums": padded[word * lanes : (word + 1) * lanes]}
            for word in range(self.words)
        )
        self.start_port.put([{"tokens": self.tokens, "keep": keep}])
        await self.until("done")
        self.live = survivors(self.live, importance, keep)
        await self.check(label)
        assert_equal(
            f"{label}: cycles",
            [self.get("select_cycles"), self.get("update_cycles")],
            [TopK.latency(self.config, self.tokens), prune_cycles(self.config, self.tokens)],
        )
        sums = await self.read("inspect", range(self.words), RowMemory.LATENCY)
        assert_equal(f"{label}: sums afterwards", sums, [[0] * lanes] * self.words)

    async def check(self, label: str) -> None:
        """The bitmap, the count and the list, the latter read with stalls."""
        live, size = self.get("live"), self.config.bank_depth * self.config.lanes
        assert_equal(
            f"{label}: live map", [j for j in range(size) if live >> j & 1], sorted(self.live)
        )
        assert_equal(f"{label}: live count", self.get("count"), len(self.live))
        positions = range(len(self.live))
        tokens = await self.read("read", positions, LiveTokens.READ_LATENCY, self.pauses(0.25))
        assert_equal(f"{label}: token list", tokens, sorted(self.live))


def lengths(bench: PruningBench) -> list[int]:
    """Sequence lengths around the words' boundaries, and random ones."""
    lanes, longest = bench.config.lanes, bench.config.max_tokens
    edges = [1, 2, lanes, lanes + 1, longest - 1, longest]
    return edges + [bench.rng.randint(1, longest) for _ in range(bench.trials)]


def keeps(bench: PruningBench) -> list[int]:
    """Only CLS, all but one, all, more than there are, and a random number of tokens."""
    count = len(bench.live)
    longest = bench.config.max_tokens
    edges = {1, max(1, count - 1), count, min(count + 1, longest), longest}
    return [*sorted(edges), bench.rng.randint(1, count)]


@cocotb.test()
async def fills(dut):
    """Any number of tokens can be made live, whatever was live before."""
    bench = await PruningBench.on(dut)
    for tokens in lengths(bench):
        await bench.fill(tokens)


@cocotb.test()
async def keeps_the_best(dut):
    """Every distribution of the importance, with all tokens live and with a random set of them."""
    bench = await PruningBench.on(dut)
    rng = bench.rng
    for name, draw in IMPORTANCE.items():
        for tokens in [*rng.sample(lengths(bench), 2), bench.config.max_tokens]:
            density = rng.choice([0.0, 0.1, 0.5, 1.0])
            await bench.fill(tokens)
            live = [j for j in range(tokens) if j == 0 or rng.random() < density]
            for keep in rng.sample(keeps(bench), 2):
                await bench.load(live)
                importance = draw(rng, bench.config, tokens)
                await bench.prune(
                    importance, keep, f"{name}, n = {tokens}, {len(live)} live, k = {keep}"
                )


@cocotb.test()
async def every_keep(dut):
    """Each k from 1 to beyond the live tokens, with many ties."""
    bench = await PruningBench.on(dut)
    tokens = min(bench.config.max_tokens, 8 * bench.trials)
    await bench.fill(tokens)
    live = [j for j in range(tokens) if j % 3 != 1]
    for keep in range(1, min(len(live) + 3, bench.config.max_tokens + 1)):
        await bench.load(live)
        importance = [bench.rng.randrange(3) << 13 for _ in range(tokens)]
        await bench.prune(importance, keep, f"ties, k = {keep}")


@cocotb.test()
async def cascade(dut):
    """Pruning after pruning down to CLS: the survivors of one are the candidates of the next."""
    bench = await PruningBench.on(dut)
    tokens = bench.config.max_tokens - 1
    await bench.fill(tokens)
    for layer in range(9):
        ratio = 0.1 * 9 ** (layer / 8)
        keep = 1 + round((tokens - 1) * (1 - ratio))
        importance = IMPORTANCE["attention"](bench.rng, bench.config, tokens)
        await bench.prune(importance, keep, f"layer {layer}, k = {keep}")
        assert_equal(f"layer {layer}: live count", len(bench.live), keep)
    await bench.prune([0] * tokens, 1, "only CLS")
    assert_equal("survivors", bench.live, [0])


@cocotb.test()
async def commands_wait(dut):
    """A unit takes its next command when it is through with the last one."""
    bench = await PruningBench.on(dut)
    tokens = bench.config.max_tokens
    queued = [tokens, 1, tokens - 1]
    bench.fill_port.put(queued)
    for _ in queued:
        await bench.until("done")
    bench.live = list(range(queued[-1]))
    await bench.check("queued fills")

    await bench.start_port.send([{"tokens": tokens, "keep": 1}])
    edges = await bench.until("start__ready")
    assert_equal("busy cycles", edges - 1, TopK.latency(bench.config, tokens))
