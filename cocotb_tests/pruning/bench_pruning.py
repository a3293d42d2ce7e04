"""Bench of `Pruning`; the importance memory is Python. Parameters: configuration, seed."""

from types import SimpleNamespace

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.pruning.importance import attention_sums, survivors
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY
from rtl_gen.pruning.pruning import PRUNE, SET_TOKENS, Pruning


class PruningBench(UnitBench):
    """What a program does; `live` is the set that the unit should then hold."""

    UNIT = Pruning

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.words = [[self.rng.getrandbits(8)] * self.config.lanes] * self.config.bank_depth
        self.serve("reads__importance", lambda word: self.words[word], READ_LATENCY)
        self.set_port, self.prune_port = self.source("set_tokens"), self.source("prune")
        self.tokens, self.live = 0, []
        cocotb.start_soon(self._clear())

    async def _clear(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if self.get("clear__valid"):
                self.words[self.get("clear__payload")] = [0] * self.config.lanes

    async def run(self, command, port, label: str, **fields: int) -> None:
        """A command; its cycles are those of its record."""
        await port.send([fields])
        busy = await self.until("idle") - 1
        expected = command.busy_cycles(
            self.config, SimpleNamespace(**fields), self.tokens, len(self.live)
        )
        assert_equal(f"{label}: busy cycles", busy, expected)

    async def set_tokens(self, tokens: int) -> None:
        self.tokens, self.live = tokens, list(range(tokens))
        await self.run(SET_TOKENS, self.set_port, f"{tokens} tokens", count=tokens)
        await self.check(f"{tokens} tokens")
        lanes = self.config.lanes
        assert_equal("sums", self.words, [[0] * lanes] * self.config.bank_depth)

    async def prune(self, importance: list[int], keep: int, prefix: int, label: str) -> None:
        lanes = self.config.lanes
        padded = importance + [self.rng.getrandbits(8)] * lanes
        for word in range(-(-self.tokens // lanes)):
            self.words[word] = padded[word * lanes : (word + 1) * lanes]
        self.live = survivors(self.live, importance, keep, prefix)
        await self.run(PRUNE, self.prune_port, label, count=keep, prefix=prefix)
        await self.check(label)
        sums = self.words[: -(-self.tokens // lanes)]
        assert_equal(f"{label}: sums", sums, [[0] * lanes] * len(sums))

    async def check(self, label: str) -> None:
        """The bitmap, as such and by rows, the count and the list."""
        bits, rows = sum(1 << token for token in self.live), []
        assert_equal(f"{label}: live map", self.get("live"), bits)
        assert_equal(f"{label}: count", self.get("count"), len(self.live))
        listed = await self.read("held__live_list", range(len(self.live)), LIST_LATENCY)
        assert_equal(f"{label}: list", listed, self.live)
        width = self.config.row_bits
        for row in range(-(-self.config.bank_depth * self.config.lanes // width)):
            if row:
                self.set(held__live__address=row)
            await self.edge
            rows.append(self.get("held__live__data"))
        assert_equal(f"{label}: rows", sum(x << i * width for i, x in enumerate(rows)), bits)


@cocotb.test()
async def cascade(dut):
    """Pruning after pruning: the survivors of one are the candidates of the next. In the end the
    prefix is left, or the best token if there is none.
    """
    bench = await PruningBench.on(dut)
    for prefix in (1, 2, bench.rng.randint(3, 5), 0):
        tokens = bench.config.max_tokens - prefix % 2
        await bench.set_tokens(tokens)
        for layer in range(9):
            keep = prefix + round((tokens - prefix) * (1 - 0.1 * 9 ** (layer / 8)))
            sums = attention_sums(bench.rng, bench.config, tokens)
            await bench.prune(sums, keep, prefix, f"layer {layer}, k = {keep}, prefix {prefix}")
            assert_equal(f"layer {layer}: survivors", len(bench.live), keep)
        best = bench.live[-1]
        last = [int(token == best) for token in range(tokens)]
        await bench.prune(last, max(prefix, 1), prefix, "only the prefix")
        assert_equal("survivors", bench.live, list(range(prefix)) or [best])


@cocotb.test()
async def lengths(dut):
    """Sequences of any length follow one another; a prune of more than there are keeps all."""
    bench = await PruningBench.on(dut)
    lanes, longest = bench.config.lanes, bench.config.max_tokens
    for tokens in (1, longest, 2, lanes, lanes + 1, longest - 1):
        await bench.set_tokens(tokens)
        await bench.prune([0] * tokens, longest, bench.rng.randint(0, 5), f"all of {tokens}")


@cocotb.test()
async def reset_in_between(dut):
    """A reset in a command leaves nothing behind."""
    bench = await PruningBench.on(dut)
    await bench.set_tokens(bench.config.max_tokens)
    for port in (bench.prune_port, bench.set_port):
        await port.send([{"count": 1}])
        await bench.pulse("rst")
        await bench.edge
        assert_equal("idle, live tokens", [bench.get("idle"), bench.get("count")], [1, 0])
        await bench.set_tokens(bench.config.max_tokens)
