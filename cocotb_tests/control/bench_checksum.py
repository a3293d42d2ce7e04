"""Bench of `Checksum`, against Amaranth's CRC of the catalogue. Parameters: configuration, seed."""

import cocotb
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.control.checksum import Checksum

SUM_BYTES = 4
CRC = CRC32_ISO_HDLC(data_width=8)


class ChecksumBench(UnitBench):
    UNIT = Checksum

    async def feed(self, data: bytes, pause: float = 0.0) -> None:
        """Rows, each behind pauses in which there is any row that does not count."""
        width = self.config.width
        for at in range(0, len(data), width):
            while self.rng.random() < pause:
                self.set(check__argument=self.random("check__argument", counts=0, restart=0))
                await self.edge
            row = int.from_bytes(data[at : at + width], "little")
            self.set(check__argument={"row": row, "counts": 1})
            await self.edge
        self.set(check__argument={})

    async def restart(self) -> None:
        self.set(check__argument=self.random("check__argument", restart=1))
        await self.edge
        self.set(check__argument={})

    async def verdict(self) -> bool:
        """After the last row of `feed`, as soon as it holds and for some time behind."""
        for _ in range(Checksum.LATENCY):
            await self.edge
        found = {bool(self.get("check__result"))}
        for _ in range(3):
            await self.edge
            found.add(bool(self.get("check__result")))
        (verdict,) = found
        return verdict

    def draw(self, rows: int) -> bytes:
        """Random rows that end with their own sum."""
        body = self.rng.randbytes(rows * self.config.width - SUM_BYTES)
        return body + CRC.compute(body).to_bytes(SUM_BYTES, "little")


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def rows_with_their_sum_are_intact(dut, pause):
    """Programs of any length, one after the other, with and without pauses."""
    bench = await ChecksumBench.on(dut)
    for _ in range(40):
        await bench.restart()
        await bench.feed(bench.draw(bench.rng.randint(1, 12)), pause)
        assert await bench.verdict()


@cocotb.test()
async def every_wrong_bit_is_found(dut):
    """Any single one of the first, a middle and the last row; of long rows a sample."""
    bench = await ChecksumBench.on(dut)
    bits = range(8 * bench.config.width)
    for row in range(3):
        for bit in bench.rng.sample(bits, min(64, len(bits))):
            data = bytearray(bench.draw(3))
            data[row * bench.config.width + bit // 8] ^= 1 << bit % 8
            await bench.restart()
            await bench.feed(data)
            assert not await bench.verdict(), f"bit {bit} of row {row}"


@cocotb.test()
async def restart_forgets_rows_under_way(dut):
    """However near they are to the sum."""
    bench = await ChecksumBench.on(dut)
    for cycles in range(5):
        await bench.feed(bench.draw(2))
        for _ in range(cycles):
            await bench.edge
        await bench.restart()
        await bench.feed(bench.draw(2))
        assert_equal(f"{cycles} cycles behind a row", await bench.verdict(), True)
