"""Bench of `NormStatistics`. Parameters: configuration, rounds, seed."""

import random

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.norm.expectation import statistics
from rtl_gen.norm.norm_statistics import NormStatistics


class StatisticsBench(UnitBench):
    UNIT = NormStatistics


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


def draw_channels(count: int, rng: random.Random) -> list[int]:
    """The ends of the range, alone and mixed, or anything."""
    values = rng.choice([[-32768], [32767], [-32768, 32767, 0], range(-32768, 32768)])
    return [rng.choice(values) for _ in range(count)]


@cocotb.test()
async def sums_are_exact(dut):
    """Extreme and random channels, revisits at the least distance, the earliest allowed reads."""
    bench = await StatisticsBench.on(dut)
    config, rng = bench.config, bench.rng
    lanes, distances = config.lanes, set()
    for turn in range(bench.given["rounds"]):
        count = [1, 2, NormStatistics.REVISIT_CYCLES, config.max_tokens][turn % 4]
        tokens = rng.sample(range(config.max_tokens), count)
        writes = config.max_dim // lanes if turn < 4 else rng.randint(1, 4)
        channels = {token: draw_channels(writes * lanes, rng) for token in tokens}
        parts = {token: iter(range(0, writes * lanes, lanes)) for token in tokens}
        last_seen: dict[int, int] = {}
        order = token_order(tokens, writes, NormStatistics.REVISIT_CYCLES, rng)
        for cycle, token in enumerate(order):
            # Whatever is on the port without `valid` must not matter.
            values = draw_channels(lanes, rng)
            update = {"token": rng.choice(tokens), "first": rng.getrandbits(1), "values": values}
            if token is not None:
                begin = next(parts[token])
                values = channels[token][begin : begin + lanes]
                update = {"token": token, "first": begin == 0, "values": values}
                distances.add(cycle - last_seen.get(token, cycle))
                last_seen[token] = cycle
            bench.set(updates={"valid": token is not None, "payload": update})
            await bench.edge
        bench.set(updates__valid=0)
        # The token written last is read in the first cycle in which that is allowed.
        await ClockCycles(dut.clk, NormStatistics.latency(config) - 1)
        asked = [order[-1], *rng.sample(tokens, len(tokens))]
        answers = await bench.read("read", asked, NormStatistics.READ_LATENCY)
        assert_equal(
            f"round {turn}: sum and squares of tokens {asked}",
            [list(answer.values()) for answer in answers],
            [list(statistics(channels[token])) for token in asked],
        )
    assert_equal("least distance", min(distances - {0}), NormStatistics.REVISIT_CYCLES)
