"""Where an accelerator's registers and memory are, for `sparse_vit.driver`."""

import mmap
import os
import select
import time
from pathlib import Path
from typing import Protocol, Self

from rtl_gen.control.register_map import MAP_ADDRESS_BITS, WORD_BYTES
from rtl_gen.errors import UserError

REGISTER_BYTES = 1 << MAP_ADDRESS_BITS
POLL_SECONDS = 1e-4


class Device(Protocol):
    """What the driver needs of a host."""

    def read(self, offset: int) -> int:
        """The word at an offset in bytes of the registers."""

    def write(self, offset: int, word: int) -> None:
        """Put a word there. On many machines a refused one (SLVERR) ends the process."""

    def wait_for_interrupt(self, seconds: float) -> None:
        """Return when the interrupt is up, after so many seconds, or sooner."""

    def read_memory(self, address: int, size: int) -> bytes:
        """What lies at an address of the accelerator's memory."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Put it there."""


class MappedDevice:
    """Registers and memory that Linux maps into the process, through UIO or `/dev/mem`.

    Args:
        registers: file to map, such as `/dev/uio0` or `/dev/mem`.
        memory: file to map, such as `/dev/udmabuf0` or `/dev/mem`. The accelerator has to see the
            same contents: memory that neither side caches, or whose caches are coherent.
        address: of the memory's first byte, as the accelerator counts.
        size: of the memory, in bytes.
        registers_offset: of the registers in their file: 0 for UIO, their address for `/dev/mem`.
        memory_offset: of the memory in its file.
        interrupts: whether the file of the registers tells of interrupts, as UIO does. Otherwise
            the driver looks at the status again and again.

    Raises:
        UserError: a file that cannot be mapped.
    """

    def __init__(
        self,
        registers: Path | str,
        memory: Path | str,
        *,
        address: int,
        size: int,
        registers_offset: int = 0,
        memory_offset: int = 0,
        interrupts: bool = False,
    ):
        self._address, self._size = address, size
        self._file, self._registers = _map(registers, REGISTER_BYTES, registers_offset)
        self._words = memoryview(self._registers).cast("I")
        try:
            self._memory_file, self._memory = _map(memory, size, memory_offset)
        except UserError:
            self._words.release()
            self._registers.close()
            os.close(self._file)
            raise
        self._interrupts = interrupts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give files and mappings back."""
        self._words.release()
        for mapping in (self._registers, self._memory):
            mapping.close()
        for file in (self._file, self._memory_file):
            os.close(file)

    def read(self, offset: int) -> int:
        return self._words[offset // WORD_BYTES]

    def write(self, offset: int, word: int) -> None:
        self._words[offset // WORD_BYTES] = word

    def wait_for_interrupt(self, seconds: float) -> None:
        if not self._interrupts:
            time.sleep(min(seconds, POLL_SECONDS))
            return
        # UIO: a word written enables the interrupt, which comes at once if its line is up already;
        # one to read says that it came.
        os.write(self._file, (1).to_bytes(4, "little"))
        ready, _, _ = select.select([self._file], [], [], seconds)
        if ready:
            os.read(self._file, 4)

    def read_memory(self, address: int, size: int) -> bytes:
        begin = self._place(address, size)
        return self._memory[begin : begin + size]

    def write_memory(self, address: int, data: bytes) -> None:
        begin = self._place(address, len(data))
        self._memory[begin : begin + len(data)] = data

    def _place(self, address: int, size: int) -> int:
        begin = address - self._address
        if begin < 0 or begin + size > self._size:
            raise UserError(
                f"{size:,} bytes at {address:#x} are not within the mapped memory: expected "
                f"{self._address:#x} to {self._address + self._size - 1:#x}"
            )
        return begin


def _map(path: Path | str, size: int, offset: int) -> tuple[int, mmap.mmap]:
    """A file, open, and so many of its bytes."""
    file = None
    try:
        file = os.open(path, os.O_RDWR | os.O_SYNC)
        return file, mmap.mmap(file, size, offset=offset)
    except (OSError, ValueError) as error:
        if file is not None:
            os.close(file)
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot map {size:,} bytes of {path} ({reason}): expected a device of at least that "
            "size that may be read and written"
        ) from error
