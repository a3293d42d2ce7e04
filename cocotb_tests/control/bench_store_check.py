"""Bench of `StoreCheck`. Parameters: configuration, seed."""

import cocotb

from cocotb_tests.control.commands import draw_command
from cocotb_tests.control.legality import Bounds
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.control.commands import Opcode
from rtl_gen.control.store_check import StoreCheck

PAGE = 4096


class StoreCheckBench(UnitBench):
    UNIT = StoreCheck

    def draw_bounds(self) -> Bounds:
        rng, pages = self.rng, 1 << self.config.address_bits - 12
        first, last = (rng.choice([0, pages - 1, rng.randrange(pages)]) for _ in range(2))
        if rng.random() < 0.9:
            first, last = sorted((first, last))
        results = rng.choice([0, first, last, rng.randrange(pages)]) * PAGE
        return Bounds(range(0), range(first * PAGE, (last + 1) * PAGE), results)

    def draw_store(self, bounds: Bounds) -> dict[str, int]:
        """A STORE, often one that begins or ends around an end of what may be written."""
        rng, width = self.rng, self.config.width
        command = draw_command(self.config, rng) | {"opcode": Opcode.STORE}
        command["count"] = count = max(1, command["count"])
        if rng.random() < 0.7:
            rows = rng.choice([-1, 0, 1, -count - 1, -count, 1 - count])
            place = rng.choice([bounds.writes.start, bounds.writes.stop]) + rows * width
            if 0 <= place - bounds.results < 1 << 32:
                command["address"] = place - bounds.results
        command["address"] -= command["address"] % width
        return command


@cocotb.test()
async def stays_within_bounds(dut):
    """The address is the result base's and the command's, the verdict that of plain ranges; a
    command a cycle, for bounds that stay."""
    bench = await StoreCheckBench.on(dut)
    config, refused = bench.config, 0
    for _ in range(100):
        bounds = bench.draw_bounds()
        pages = {
            "writes": {
                "first": bounds.writes.start // PAGE,
                "last": bounds.writes.stop // PAGE - 1,
            },
            "results": bounds.results // PAGE,
        }
        commands = [bench.draw_store(bounds) for _ in range(30)]
        arguments = [{"check__argument": {"command": c, "bounds": pages}} for c in commands]
        await bench.pipeline(arguments[:1], [], StoreCheck.LATENCY)
        results = await bench.pipeline(arguments, ["check__result"], StoreCheck.LATENCY)
        expected = [bounds.refuse(config, command) for command in commands]
        outside = [result["check__result"]["outside"] for result in results]
        assert_equal(f"outside of {bounds}", outside, expected)
        refused += sum(expected)
        addresses = await bench.pipeline(arguments, ["check__result"], StoreCheck.LATENCY - 1)
        for command, verdict, result in zip(commands, expected, addresses, strict=True):
            if not verdict:
                place = bounds.stored(config, command).start
                assert_equal("address", result["check__result"]["address"], place)
    assert 500 < refused < 2500, refused
