"""Bench of `PruningStage`. Parameters: the configuration's choices, trials, a seed.

The expectation is a sort by (importance descending, index ascending), and sets of Python integers.
"""

import random
from collections.abc import Callable

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge, with_timeout

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSource, random_pauses
from cocotb_tests.pruning.pruning_stage import PruningStage
from rtl_gen.config import AcceleratorConfig
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


class Driver:
    """What a program does with the stage; `live` is the set that it should then hold."""

    def __init__(self, dut: HierarchyObject):
        given = parameters()
        self.dut = dut
        self.rng = random.Random(given["seed"])
        self.trials = given["trials"]
        self.config = AcceleratorConfig(**given["config"])
        self.stage = PruningStage(self.config)
        self.command = self.stage.start.payload.shape()
        self.fill_port = StreamSource(dut, "fill", self.config.count_bits)
        self.start_port = StreamSource(dut, "start", self.command)
        self.load_port = StreamSource(
            dut, "load", self.stage.keep_word, random_pauses(0.2, given["seed"])
        )
        self.deposit_port = StreamSource(dut, "deposit", self.stage.deposit_word)
        self.tokens = 0
        self.live: list[int] = []

    @property
    def words(self) -> int:
        return -(-self.tokens // self.config.lanes)

    async def _done(self) -> None:
        await with_timeout(RisingEdge(self.dut.done), 10_000 * CLOCK_PERIOD_NS, "ns")

    async def fill(self, tokens: int) -> None:
        """Make 0 .. tokens - 1 live."""
        self.fill_port.put([tokens])
        await self._done()
        self.tokens, self.live = tokens, list(range(tokens))
        await self.check("fill")
        assert_equal("fill cycles", int(self.dut.update_cycles.value), fill_cycles(self.config))

    async def load(self, live: list[int]) -> None:
        """Make a subset of 0 .. tokens - 1 live, by keep words with gaps between them."""
        lanes = self.config.lanes
        self.load_port.put(
            {
                "word": word,
                "bits": sum(word * lanes + lane in live and 1 << lane for lane in range(lanes)),
                "last": word == self.words - 1,
            }
            for word in range(self.words)
        )
        await self._done()
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
        await self._done()
        self.live = survivors(self.live, importance, keep)
        await self.check(label)
        select_cycles, update_cycles = self.dut.select_cycles, self.dut.update_cycles
        assert_equal(
            f"{label}: cycles",
            [int(select_cycles.value), int(update_cycles.value)],
            [TopK.latency(self.config, self.tokens), prune_cycles(self.config, self.tokens)],
        )
        await self.check_cleared(label)

    async def check(self, label: str) -> None:
        """The bitmap, the count and the list, the latter read with stalls."""
        live = int(self.dut.live.value)
        size = self.config.bank_depth * self.config.lanes
        assert_equal(
            f"{label}: live map", [j for j in range(size) if live >> j & 1], sorted(self.live)
        )
        assert_equal(f"{label}: live count", int(self.dut.count.value), len(self.live))
        assert_equal(f"{label}: token list", await self.read_list(), sorted(self.live))

    async def read_list(self) -> list[int]:
        """Every position in order; the port is enabled in three of four cycles."""
        pauses = random_pauses(0.25, self.rng.getrandbits(32))
        tokens, position = [], 0
        while len(tokens) < len(self.live):
            enable = not next(pauses)
            self.dut.read__enable.value = enable
            self.dut.read__position.value = min(position, len(self.live) - 1) if enable else 0
            await RisingEdge(self.dut.clk)
            if enable:
                if position >= LiveTokens.READ_LATENCY:
                    tokens.append(int(self.dut.read__token.value))
                position += 1
        self.dut.read__enable.value = 0
        return tokens

    async def check_cleared(self, label: str) -> None:
        """The sums of all tokens are zero."""
        for word in range(self.words):
            self.dut.inspect_address.value = word
            await RisingEdge(self.dut.clk)
            await RisingEdge(self.dut.clk)
            sums = int(self.dut.inspect_sums.value)
            assert_equal(f"{label}: sums of word {word} afterwards", sums, 0)


def lengths(driver: Driver) -> list[int]:
    """Sequence lengths around the words' boundaries, and random ones."""
    lanes, longest = driver.config.lanes, driver.config.max_tokens
    edges = [1, 2, lanes, lanes + 1, longest - 1, longest]
    return edges + [driver.rng.randint(1, longest) for _ in range(driver.trials)]


def keeps(driver: Driver) -> list[int]:
    """Only CLS, all but one, all, more than there are, and a random number of tokens."""
    count = len(driver.live)
    longest = driver.config.max_tokens
    edges = {1, max(1, count - 1), count, min(count + 1, longest), longest}
    return [*sorted(edges), driver.rng.randint(1, count)]


@cocotb.test()
async def fills(dut):
    """Any number of tokens can be made live, whatever was live before."""
    await start(dut)
    driver = Driver(dut)
    for tokens in lengths(driver):
        await driver.fill(tokens)


@cocotb.test()
async def keeps_the_best(dut):
    """Every distribution of the importance, with all tokens live and with a random set of them."""
    await start(dut)
    driver = Driver(dut)
    rng = driver.rng
    for name, draw in IMPORTANCE.items():
        for tokens in [*rng.sample(lengths(driver), 2), driver.config.max_tokens]:
            density = rng.choice([0.0, 0.1, 0.5, 1.0])
            await driver.fill(tokens)
            live = [j for j in range(tokens) if j == 0 or rng.random() < density]
            for keep in rng.sample(keeps(driver), 2):
                await driver.load(live)
                importance = draw(rng, driver.config, tokens)
                await driver.prune(
                    importance, keep, f"{name}, n = {tokens}, {len(live)} live, k = {keep}"
                )


@cocotb.test()
async def every_keep(dut):
    """Each k from 1 to beyond the live tokens, with many ties."""
    await start(dut)
    driver = Driver(dut)
    tokens = min(driver.config.max_tokens, 8 * driver.trials)
    await driver.fill(tokens)
    live = [j for j in range(tokens) if j % 3 != 1]
    for keep in range(1, min(len(live) + 3, driver.config.max_tokens + 1)):
        await driver.load(live)
        importance = [driver.rng.randrange(3) << 13 for _ in range(tokens)]
        await driver.prune(importance, keep, f"ties, k = {keep}")


@cocotb.test()
async def cascade(dut):
    """Pruning after pruning down to CLS: the survivors of one are the candidates of the next."""
    await start(dut)
    driver = Driver(dut)
    tokens = driver.config.max_tokens - 1
    await driver.fill(tokens)
    for layer in range(9):
        ratio = 0.1 * 9 ** (layer / 8)
        keep = 1 + round((tokens - 1) * (1 - ratio))
        importance = IMPORTANCE["attention"](driver.rng, driver.config, tokens)
        await driver.prune(importance, keep, f"layer {layer}, k = {keep}")
        assert_equal(f"layer {layer}: live count", len(driver.live), keep)
    await driver.prune([0] * tokens, 1, "only CLS")
    assert_equal("survivors", driver.live, [0])


@cocotb.test()
async def commands_wait(dut):
    """A unit takes its next command when it is through with the last one."""
    await start(dut)
    driver = Driver(dut)
    tokens = driver.config.max_tokens
    queued = [tokens, 1, tokens - 1]
    driver.fill_port.put(queued)
    for _ in queued:
        await RisingEdge(dut.done)
    driver.live = list(range(queued[-1]))
    await driver.check("queued fills")

    await driver.start_port.send([{"tokens": tokens, "keep": 1}])
    busy = 0
    await RisingEdge(dut.clk)
    while not int(dut.start__ready.value):
        busy += 1
        await RisingEdge(dut.clk)
    assert_equal("busy cycles", busy, TopK.latency(driver.config, tokens))
