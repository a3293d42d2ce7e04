"""Bench of `RowLoader`. Parameters: configuration, seed.

The memories are Python words; where a row of each target belongs is written down here once more.
"""

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.transfer.row_loader import RowLoader

PLAIN = {Target.QUERY: "query", Target.HIDDEN: "hidden", Target.RESIDUAL: "residual"}


def writes(config: AcceleratorConfig, target: Target, row: int, data: int) -> list[tuple]:
    """[(memory, address, bytes or items by their place in the word)] of one row, in order."""
    values = list(data.to_bytes(config.width, "little"))
    whole = dict(enumerate(values))
    match target:
        case Target.KEY | Target.VALUE:
            word, bank = divmod(row, config.lanes)
            address = (2 * word + (target == Target.VALUE)) * config.lanes + bank
            return [("kv", address, whole)]
        case Target.MASK:
            rows = config.mask_word_bytes // config.width
            word, part = divmod(row, rows)
            return [("mask", word, {part * config.width + i: v for i, v in whole.items()})]
        case Target.GELU:
            return [("gelu", row * config.width + i, {0: v}) for i, v in whole.items()]
        case Target.CHANNEL_SHIFT:
            shifts = {i: values[i] % 8 for i in range(config.width // 2)}
            return [("channel_shifts", row, shifts)]
        case _:
            return [(PLAIN[target], row, whole)]


class RowLoaderBench(UnitBench):
    """Records what is written, byte by byte; a channel shift is an item of 3 bits."""

    UNIT = RowLoader

    def __init__(self, dut: HierarchyObject, *, pause: float):
        super().__init__(dut)
        self.commands = self.source("load")
        self.rows = self.source("payload__rows", self.pauses(pause))
        self.written: list[tuple] = []
        for name in self.unit.writes.signature.members:
            cocotb.start_soon(self._watch(name))

    async def _watch(self, name: str) -> None:
        port = f"writes__{name}"
        data, item = self.dut[f"{port}__data"], 3 if name == "channel_shifts" else 8
        chunks = getattr(self.dut, f"{port}__chunks", None)
        size = len(data) // item // (1 if chunks is None else len(chunks))
        while True:
            await self.until(f"{port}__enable")
            word, enabled = int(data.value), 1 if chunks is None else int(chunks.value)
            items = {
                i: word >> i * item & (1 << item) - 1
                for i in range(len(data) // item)
                if enabled >> i // size & 1
            }
            self.written.append((name, self.get(f"{port}__address"), items))


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def fills_every_memory(dut, pause):
    """Parts of every target that LOAD reaches; idle and the payload's flags fall in time."""
    bench = await RowLoaderBench.on(dut, pause=pause)
    rng, config = bench.rng, bench.config
    targets = {t: x.rows for t, x in transfers(config).items() if x.loads}
    for target, most in [*targets.items(), *rng.sample(sorted(targets.items()), 4)]:
        count = rng.choice([1, min(most, 7)])
        first = 0 if target == Target.GELU else rng.choice([0, most - count])
        data = [rng.getrandbits(config.row_bits) for _ in range(count)]
        bench.written.clear()
        assert bench.get("idle")
        fields = {"target": target, "first": first, "count": count}
        await bench.commands.send([fields | {"barrier": rng.getrandbits(1)}])
        begin = bench.cycle
        bench.rows.put(data)
        await bench.edge
        assert not bench.get("idle"), "busy behind a command"
        assert bench.get("payload__feeding"), "the payload is under way"
        await bench.until("idle")
        assert not bench.get("payload__feeding"), "nothing more is fed"
        expected = [w for i, row in enumerate(data) for w in writes(config, target, first + i, row)]
        assert bench.written == expected, f"{target.name}: {bench.written}, expected {expected}"
        if not pause:
            cycles = count * (config.width if target == Target.GELU else 1) + 1
            assert_equal(f"{target.name}: cycles", bench.cycle - begin - 1, cycles)


@cocotb.test()
async def reset_in_between(dut):
    """A reset in a payload: what follows is written where it belongs, nothing else is."""
    bench = await RowLoaderBench.on(dut, pause=0.0)
    await bench.commands.send([{"target": Target.GELU, "first": 0, "count": 2}])
    await bench.rows.send([1])
    await bench.pulse("rst")
    await bench.edge
    bench.written.clear()
    await bench.commands.send([{"target": Target.QUERY, "first": 3, "count": 1}])
    await bench.rows.send([5])
    await bench.until("idle")
    assert bench.written == writes(bench.config, Target.QUERY, 3, 5)
