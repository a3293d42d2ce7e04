"""Bench of `NormStatistics`. Parameters: configuration, rounds, seed."""

import random

import cocotb
from amaranth.hdl import signed
from amaranth.lib.data import ArrayLayout
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.norm.expectation import statistics
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import statistics_layout
from rtl_gen.interfaces.packing import pack, unpack
from rtl_gen.norm.norm_statistics import NormStatistics


def token_order(
    tokens: list[int], writes: int, distance: int, rng: random.Random
) -> list[int | None]:
    """`writes` writes of every token, as dense as the least distance allows; None for no write."""
    left = dict.fromkeys(tokens, writes)
    order: list[int | None] = []
    while any(left.values()):
        recent = order[-distance + 1 :]
        free = [token for token in tokens if left[token] and token not in recent]
        # The token that may just come again is the most likely one.
        pick = next((t for t in order[-distance:] if t in free), None)
        if pick is None or rng.random() < 0.5:
            pick = rng.choice(free) if free else None
        order.append(pick)
        if pick is not None:
            left[pick] -= 1
    return order


@cocotb.test()
async def sums_are_exact(dut):
    """Extreme and random channels, revisits at the least distance, the earliest allowed reads."""
    given = parameters()
    rng = random.Random(given["seed"])
    config = AcceleratorConfig(**given["config"])
    lanes = config.lanes
    vector = ArrayLayout(signed(numerics.RESIDUAL_BITS), lanes)
    await start(dut)
    distances = set()
    for turn in range(given["rounds"]):
        count = [1, 2, NormStatistics.REVISIT_CYCLES, config.max_tokens][turn % 4]
        tokens = rng.sample(range(config.max_tokens), count)
        writes = config.max_dim // lanes if turn < 4 else rng.randint(1, 4)
        channels = {
            token: rng.choice(
                [
                    [-32768] * (writes * lanes),
                    [32767] * (writes * lanes),
                    [rng.choice([-32768, 32767, 0]) for _ in range(writes * lanes)],
                    [rng.randint(-32768, 32767) for _ in range(writes * lanes)],
                ]
            )
            for token in tokens
        }
        done = dict.fromkeys(tokens, 0)
        last_seen: dict[int, int] = {}
        order = token_order(tokens, writes, NormStatistics.REVISIT_CYCLES, rng)
        for cycle, token in enumerate(order):
            dut.valid.value = token is not None
            if token is not None:
                part = channels[token][done[token] * lanes : (done[token] + 1) * lanes]
                dut.token.value = token
                dut.first.value = done[token] == 0
                dut.values.value = pack(vector, part)
                done[token] += 1
                distances.add(cycle - last_seen.get(token, cycle))
                last_seen[token] = cycle
            else:
                # Whatever is on the ports must not matter.
                dut.token.value = rng.choice(tokens)
                dut.first.value = rng.getrandbits(1)
            await RisingEdge(dut.clk)
        dut.valid.value = 0
        # The token written last is read in the first cycle in which that is allowed.
        await ClockCycles(dut.clk, NormStatistics.latency(config) - 1)
        asked = [order[-1], *rng.sample(tokens, len(tokens))]
        answers = await read(dut, config, asked)
        assert_equal(
            f"round {turn}: sum and squares of tokens {asked}",
            answers,
            [list(statistics(channels[token])) for token in asked],
        )
    assert_equal("least distance", min(distances - {0}), NormStatistics.REVISIT_CYCLES)


async def read(dut, config: AcceleratorConfig, tokens: list[int]) -> list[list[int]]:
    """A token a cycle; [sum, sum of squares] of each."""
    answers = []
    for cycle in range(len(tokens) + NormStatistics.READ_LATENCY):
        dut.read__enable.value = cycle < len(tokens)
        dut.read__token.value = tokens[cycle] if cycle < len(tokens) else 0
        await RisingEdge(dut.clk)
        if cycle >= NormStatistics.READ_LATENCY:
            item = unpack(statistics_layout(config), int(dut.read__statistics.value))
            answers.append([item["total"], item["squares"]])
    return answers
