"""Trees, products and saturation against Python's integers, in Amaranth's simulator."""

import random
from operator import add

import pytest
from amaranth.hdl import ClockDomain, Module, Signal, Value, signed, unsigned
from amaranth.sim import Simulator

from rtl_gen import numerics
from rtl_gen.common.narrow_shift import narrow_shift
from rtl_gen.common.pipeline import maximum_tree, reduce_tree, tree_latency
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


@pytest.mark.parametrize("count", [1, 2, 5, 8, 16, 32])
def test_sum_after_the_latency_of_a_tree(count):
    rng = random.Random(count)
    m = Module()
    m.domains.sync = ClockDomain()
    values = [Signal(signed(BITS), name=f"value_{i}") for i in range(count)]
    total = reduce_tree(m, values, add, name="total")
    rows = [[rng.randrange(-16, 16) for _ in values] for _ in range(20)]
    seen = []

    async def bench(ctx):
        for row in rows + rows[: tree_latency(count)]:
            for signal, value in zip(values, row, strict=True):
                ctx.set(signal, value)
            await ctx.delay(1e-9)
            seen.append(ctx.get(total))
            await ctx.tick()

    _run(m, bench)
    assert seen[tree_latency(count) :] == [sum(row) for row in rows]


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
    inputs = _all(BITS + 1)
    assert _results(m, cut, [value], [(x,) for x in inputs]) == [
        _cut(x, output_bits) for x in inputs
    ]
    assert _results(m, half, [value], [(x,) for x in inputs]) == [
        _cut(numerics.round_shift(x, 1), output_bits) for x in inputs
    ]


@pytest.mark.parametrize("distance_bits", [1, 2, 3])
@pytest.mark.parametrize("output_bits", [1, 3, BITS, BITS + 3])
def test_narrow_shift_of_every_value_by_every_distance(output_bits, distance_bits):
    pairs = [(x, shift) for x in _all(BITS) for shift in range(1 << distance_bits)]
    _check_shifts(pairs, BITS, distance_bits, output_bits)


def test_narrow_shift_of_wide_values():
    rng = random.Random(1)
    pairs = [
        (sign * (rng.getrandbits(bits) | 1 << (bits - 1)), shift)
        for bits in range(1, 48)
        for shift in (0, 15, 16, 63, *(max(bits - near, 0) for near in range(6, 12)))
        for sign in (1, -1)
    ]
    pairs += [(end, shift) for end in (-(1 << 47), (1 << 47) - 1, 0, -1) for shift in range(64)]
    _check_shifts(pairs, 48, 6, 9)


def _check_shifts(pairs, bits: int, distance_bits: int, output_bits: int) -> None:
    """Each is exact or on the right side of the range."""
    m = Module()
    value, distance = Signal(signed(bits)), Signal(distance_bits)
    shifted = narrow_shift(m, value, distance, output_bits, name="shifted")
    assert shifted.shape() == signed(output_bits + 1)
    seen = _results(m, shifted, [value, distance], pairs)
    assert [_cut(x, output_bits) for x in seen] == [
        _cut(x >> shift, output_bits) for x, shift in pairs
    ]


def _all(bits: int) -> range:
    """The values of so many signed bits."""
    return range(-(1 << (bits - 1)), 1 << (bits - 1))


def _cut(value: int, bits: int) -> int:
    return min(max(value, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


def _results(m: Module, result: Value, inputs: list[Signal], rows: list[tuple]) -> list[int]:
    """Of logic without registers, for each row of the inputs."""
    seen = []

    async def bench(ctx):
        for row in rows:
            for signal, value in zip(inputs, row, strict=True):
                ctx.set(signal, value)
            await ctx.delay(1e-9)
            seen.append(ctx.get(result))

    _run(m, bench, clocked=False)
    return seen


def _run(m: Module, bench, *, clocked: bool = True) -> None:
    simulator = Simulator(m)
    if clocked:
        simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
