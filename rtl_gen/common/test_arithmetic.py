"""Maximum tree, products and saturation against Python's integers, in Amaranth's simulator."""

import random

import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from rtl_gen import numerics
from rtl_gen.common.pipeline import maximum_tree, tree_latency
from rtl_gen.common.products import product_parts
from rtl_gen.common.saturate import saturate, saturate_half

BITS = 5


@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_maximum_after_the_latency_of_a_tree(count):
    rng = random.Random(count)
    m = Module()
    values = [Signal(signed(BITS), name=f"value_{i}") for i in range(count)]
    largest = maximum_tree(m, values, name="largest")
    rows = [[rng.randrange(-16, 16) for _ in values] for _ in range(40)]
    rows += [[-16] * count, [15] * count, sorted(rows[0]), sorted(rows[0])[::-1]]
    seen = []

    async def bench(ctx):
        for row in rows + rows[: tree_latency(count)]:
            for signal, value in zip(values, row, strict=True):
                ctx.set(signal, value)
            seen.append(ctx.get(largest))
            await ctx.tick()

    _run(m, bench)
    assert seen[tree_latency(count) :] == [max(row) for row in rows]


@pytest.mark.parametrize("bits", [17, 18, 19, 21, 32])
def test_product_a_cycle_later(bits):
    rng = random.Random(bits)
    m = Module()
    value, factor = Signal(signed(bits)), Signal(unsigned(16))
    product = product_parts(m, value, factor, name="product")
    assert product.shape() == signed(bits + 16)
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    pairs = [(x, y) for x in (lowest, -1, 0, 1, highest) for y in (0, 1, (1 << 16) - 1)]
    pairs += [(rng.randint(lowest, highest), rng.randrange(1 << 16)) for _ in range(100)]
    seen = []

    async def bench(ctx):
        for x, y in pairs:
            ctx.set(value, x)
            ctx.set(factor, y)
            await ctx.tick()
            seen.append(ctx.get(product))

    _run(m, bench)
    assert seen == [x * y for x, y in pairs]


@pytest.mark.parametrize("output_bits", [2, 4])
def test_saturation_of_every_value(output_bits):
    m = Module()
    value = Signal(signed(BITS + 1))
    cut, half = Signal(signed(BITS + 1)), Signal(signed(BITS + 1))
    m.d.comb += [cut.eq(saturate(value, output_bits)), half.eq(saturate_half(value, output_bits))]
    lowest, highest = -(1 << (output_bits - 1)), (1 << (output_bits - 1)) - 1
    inputs = range(-(1 << BITS), 1 << BITS)
    seen = []

    async def bench(ctx):
        for number in inputs:
            ctx.set(value, number)
            await ctx.delay(1e-9)
            seen.append((ctx.get(cut), ctx.get(half)))

    _run(m, bench, clocked=False)
    assert seen == [
        tuple(min(max(x, lowest), highest) for x in (number, numerics.round_shift(number, 1)))
        for number in inputs
    ]


def _run(m: Module, bench, *, clocked: bool = True) -> None:
    simulator = Simulator(m)
    if clocked:
        simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
