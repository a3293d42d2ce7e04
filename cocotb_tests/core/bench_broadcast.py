"""Bench of `broadcast`. Parameters: number of sinks, seed."""

import cocotb

from cocotb_tests.core.some_broadcast import SomeBroadcast
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench


class BroadcastBench(UnitBench):
    def make_unit(self):
        return SomeBroadcast(self.given["sinks"])

    def offer(self, item: int | None, chosen: int) -> None:
        self.set(source={"valid": item is not None, "payload": item or 0}, chosen=chosen)

    async def cycle_with(self, ready: list[bool]) -> tuple[bool, list[int | None]]:
        """One cycle: whether the source is taken, and what each sink takes."""
        sinks = range(len(ready))
        for sink in sinks:
            self.set(**{f"sinks__{sink}__ready": ready[sink]})
        await self.edge
        taken = [ready[sink] and self.get(f"sinks__{sink}__valid") for sink in sinks]
        items = [self.get(f"sinks__{sink}__payload") if taken[sink] else None for sink in sinks]
        return bool(self.get("source__ready")), items


@cocotb.test()
async def all_that_are_chosen_take_an_item_together(dut):
    """In the cycle in which the last of them is ready, and once; the others see nothing of it."""
    bench = await BroadcastBench.on(dut)
    rng, sinks = bench.rng, bench.given["sinks"]
    for item in range(400):
        # One sink is slow for some time, the others wait now and then.
        slowest = [0.0, 0.5, 0.95][item // 50 % 3]
        pauses = [slowest, *[slowest / 4] * (sinks - 1)]
        chosen = rng.randrange(1, 1 << sinks)
        wanted = [bool(chosen >> sink & 1) for sink in range(sinks)]
        bench.offer(item, chosen)
        taken = False
        while not taken:
            ready = [rng.random() >= pause for pause in pauses]
            taken, items = await bench.cycle_with(ready)
            all_ready = all(r for r, w in zip(ready, wanted, strict=True) if w)
            assert_equal("taken", taken, all_ready)
            assert_equal("items", items, [item if w and all_ready else None for w in wanted])
        bench.offer(None, chosen)
        for _ in range(rng.choice([0, 0, 1, 3])):
            _, items = await bench.cycle_with([rng.random() < 0.5 for _ in pauses])
            assert_equal("items", items, [None] * sinks)


@cocotb.test()
async def for_nobody(dut):
    """Breaks the contract: an item that no sink is to get."""
    bench = await BroadcastBench.on(dut)
    bench.offer(1, 0)
    await bench.cycle_with([True] * bench.given["sinks"])
    await bench.edge
