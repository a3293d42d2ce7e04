"""Bench of `RowLoader`. Parameters: configuration, seed."""

import cocotb
from cocotb.handle import HierarchyObject

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.transfer.rows import PLAIN, kv_word
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.transfer.row_loader import RowLoader

Contents = dict[tuple[str, int], int]
"""Words of memories, by name and address, that began as zeros."""


class RowLoaderBench(UnitBench):
    """The memories in Python."""

    UNIT = RowLoader
    LIMIT_CYCLES = 20_000

    def __init__(self, dut: HierarchyObject, *, pause: float = 0):
        super().__init__(dut)
        self.commands = self.source("load")
        self.rows = self.source("payload__rows", self.pauses(pause))
        self.contents: Contents = {}
        self.targets = {t: x for t, x in transfers(self.config).items() if x.loads}
        for memory in {x.memory.name: x.memory for x in self.targets.values()}.values():
            cocotb.start_soon(self._hold(memory.name, memory.bits // memory.chunks))

    async def _hold(self, name: str, chunk_bits: int) -> None:
        """Writes of the memory `name`, whose chunks have so many bits."""
        port = f"writes__{name}"
        while True:
            await self.until(f"{port}__enable")
            enable, data = self.get(f"{port}__enable"), int(self.dut[f"{port}__data"].value)
            word = self.contents.get(place := (name, self.get(f"{port}__address")), 0)
            for chunk in range(enable.bit_length()):
                if enable >> chunk & 1:
                    part = ((1 << chunk_bits) - 1) << chunk * chunk_bits
                    word = word & ~part | data & part
            self.contents[place] = word

    def draw(self, target: Target) -> tuple[int, list[bytes]]:
        """First row and contents of a LOAD of some rows, of all for the GELU table."""
        rows, width = self.targets[target].rows, self.config.width
        first = 0 if target == Target.GELU else self.rng.randrange(rows)
        count = rows if target == Target.GELU else self.rng.randint(1, min(rows - first, 20))
        return first, [self.rng.randbytes(width) for _ in range(count)]

    def put(self, target: Target, first: int, rows: list[bytes]) -> None:
        self.commands.put([{"target": target, "first": first, "count": len(rows), "barrier": 0}])
        self.rows.put(int.from_bytes(row, "little") for row in rows)

    def expected(self, target: Target, first: int, rows: list[bytes]) -> Contents:
        """Every word that a LOAD into memories full of zeros leaves."""
        config, contents = self.config, {}
        for index, row in enumerate(rows, first):
            value = int.from_bytes(row, "little")
            match target:
                case Target.KEY | Target.VALUE:
                    bank, word = kv_word(config, target, index)
                    contents["kv", word * config.lanes + bank] = value
                case Target.MASK:
                    parts = config.mask_word_bytes // config.width
                    place = "mask", index // parts
                    shifted = value << index % parts * config.row_bits
                    contents[place] = contents.get(place, 0) | shifted
                case Target.GELU:
                    for entry, byte in enumerate(row, index * config.width):
                        contents["gelu", entry] = byte
                case Target.CHANNEL_SHIFT:
                    shifts = [byte & 7 for byte in row[: config.width // 2]]
                    word = sum(shift << 3 * channel for channel, shift in enumerate(shifts))
                    contents["channel_shifts", index] = word
                case _:
                    contents[PLAIN[target], index] = value
        return contents

    async def idle(self) -> None:
        await self.rows.send([])
        await self.until("idle")


@cocotb.test()
async def every_target(dut):
    """A row a cycle, the table's in one a byte; idle the cycle after the last write."""
    bench = await RowLoaderBench.on(dut)
    for target in [*bench.targets, *bench.targets]:
        first, rows = bench.draw(target)
        bench.contents.clear()
        bench.put(target, first, rows)
        await bench.commands.send([])
        cycles = await bench.until("idle")
        words = bench.config.width if target == Target.GELU else 1
        assert_equal(f"cycles of {target.name}", cycles, len(rows) * words + 2)
        wanted = bench.expected(target, first, rows)
        assert bench.contents == wanted, f"{target.name} from {first}: {bench.contents}, {wanted}"


@cocotb.test()
async def rows_come_late(dut):
    """Commands wait for their turn, and rows may: it fills what the program says, nothing else."""
    bench = await RowLoaderBench.on(dut, pause=0.6)
    expected: Contents = {}
    for target in bench.targets:
        first, rows = bench.draw(target)
        bench.put(target, first, rows)
        expected |= bench.expected(target, first, rows)
    await bench.commands.send([])
    await bench.idle()
    assert bench.contents == expected


@cocotb.test()
async def says_what_it_expects(dut):
    """It feeds while it is not idle, and expects rows until it has all of them."""
    bench = await RowLoaderBench.on(dut)
    for count in (1, 3):
        await bench.commands.send([{"target": Target.QUERY, "first": 0, "count": count}])
        for left in range(count, 0, -1):
            await bench.edge
            flags = [bench.get(f"payload__{name}") for name in ("feeding", "expects")]
            assert_equal(f"feeding and expecting, {left} rows missing", flags, [1, 1])
            await bench.rows.send([left])
        await bench.edge
        assert_equal("expecting", bench.get("payload__expects"), 0)
        assert_equal("feeding", bench.get("payload__feeding"), 1)
        await bench.until("idle")
        assert_equal("feeding", bench.get("payload__feeding"), 0)
