"""Driver of an accelerator for a host that runs Python; the C driver has the same calls.

    with MappedDevice("/dev/uio0", "/dev/udmabuf0", address=0x7000_0000, size=1 << 24) as device:
        driver = Driver(config, device)
        device.write_memory(0x7000_0000, image.data.tobytes())
        driver.bound(reads=range(0x7000_0000, 0x7100_0000), writes=range(0x7000_0000, 0x7100_0000))
        driver.start(0x7000_0000, results=0x7000_0000)
        if driver.wait(seconds=1) == ErrorCode.NONE:
            logits = device.read_memory(0x7000_0000 + image.stored[0].address, ...)
        driver.acknowledge()

Registers are those of `rtl_gen.control.register_map`.
"""

import time

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import (
    CONTROL_BITS,
    ID,
    STATUS_BITS,
    VERSION,
    WORD_BYTES,
    RegisterMap,
)
from rtl_gen.errors import UserError
from rtl_gen.interfaces.layouts import PAGE_BITS
from rtl_gen.interfaces.program import ErrorCode
from sparse_vit.devices import POLL_SECONDS, Device

PAGE_BYTES = 1 << PAGE_BITS


class Driver:
    """
    Args:
        config: of the accelerator that programs are for.
        device: where its registers are.

    Raises:
        UserError: no accelerator there, one of another configuration, or one whose registers this
            version does not know.
    """

    def __init__(self, config: AcceleratorConfig, device: Device):
        self._config, self._device = config, device
        self._map = RegisterMap(config, Accelerator.COUNTERS)
        self._address = 0
        found = self._read("id")
        if found != ID:
            raise UserError(f"no accelerator at these registers: id is {found:#x}, not {ID:#x}")
        version = self._read("version")
        if version >> 16 != VERSION >> 16 or version < VERSION:
            raise UserError(
                f"the accelerator's registers are of version {version >> 16}.{version & 0xFFFF}: "
                f"expected {VERSION >> 16}.{VERSION & 0xFFFF}, or a later minor one"
            )
        digest = f"{self._read('config_high'):08x}{self._read('config_low'):08x}"
        if digest != config.digest():
            raise UserError(
                f"the accelerator is of configuration {digest}: expected {config.digest()}, which "
                "programs are for"
            )

    # A program ------------------------------------------------------------------------------

    def start(self, program_address: int, *, results: int = 0) -> None:
        """Start the program at an address; `results` is where its addresses of results begin, with
        an image placed as a whole the address of the image. An end before is acknowledged.

        Raises:
            UserError: a program runs, an address within a beat, results not at a page.
        """
        self._require_rest("start")
        self._require(program_address, self._config.bus_bytes, "program_address")
        self._require(results, PAGE_BYTES, "results")
        self._address = program_address
        self._write("result_base", results)
        self._write("program_address", program_address)
        self._write("interrupt_enable", 1)
        self._control("start")

    def wait(self, seconds: float) -> ErrorCode:
        """Sleep until the program has ended; how.

        Raises:
            UserError: it has not within so many seconds, or none was started.
        """
        deadline = time.monotonic() + seconds
        while not (status := self.status()) & {"done"}:
            if "busy" not in status:
                raise UserError("no program runs: start one first")
            left = deadline - time.monotonic()
            if left <= 0:
                raise UserError(
                    f"the program at {self._address:#x} has not ended after {seconds:g} s: memory "
                    "may not answer, soft_reset() gives it up"
                )
            self._device.wait_for_interrupt(left)
        return self.error()

    def status(self) -> set[str]:
        """Names of the bits that are set: busy, done, error, quiet."""
        word = self._read("status")
        return {name for name, bit in STATUS_BITS.items() if word >> bit & 1}

    def error(self) -> ErrorCode:
        """How the last program ended."""
        return ErrorCode(self._read("error"))

    def counters(self) -> dict[str, int]:
        """Every counter of the last program."""
        return {name: self._read(name) for name in Accelerator.COUNTERS}

    def acknowledge(self) -> None:
        """Forget how the last program ended; the interrupt falls."""
        self._control("clear")

    def soft_reset(self) -> None:
        """Give up the program that runs. Memory is the host's again when it is `quiet`."""
        self._control("reset")

    def quiet(self, seconds: float) -> None:
        """Wait until nothing is outstanding on the memory port.

        Raises:
            UserError: it still is after so many seconds.
        """
        deadline = time.monotonic() + seconds
        while "quiet" not in self.status():
            if time.monotonic() > deadline:
                raise UserError(
                    f"reads or rows are outstanding after {seconds:g} s: memory does not answer, "
                    "reset it together with the accelerator"
                )
            time.sleep(POLL_SECONDS)

    # Bounds ---------------------------------------------------------------------------------

    def bound(self, *, reads: range, writes: range) -> None:
        """Addresses that programs may lie at, and that they may write to; whole pages of 4 KB.

        Raises:
            UserError: a program runs, bounds that are locked, or no whole pages of memory.
        """
        self._require_rest("set bounds")
        if self._read("bounds_lock"):
            raise UserError("the bounds are locked: only a hard reset opens them")
        for name, window in (("reads", reads), ("writes", writes)):
            if window.step != 1 or not window:
                raise UserError(f"{name} = {window}: expected a range of addresses")
            self._require(window.start, PAGE_BYTES, f"{name} from")
            self._require(window.stop - PAGE_BYTES, PAGE_BYTES, f"the last page of {name}")
        for name, window in (("read", reads), ("write", writes)):
            self._write(f"{name}_base", window.start)
            self._write(f"{name}_limit", window.stop - 1)

    def lock_bounds(self) -> None:
        """They stay as they are until a hard reset."""
        self._write("bounds_lock", 1)

    # Registers ------------------------------------------------------------------------------

    def _read(self, name: str) -> int:
        words = [self._device.read(register.offset) for register in self._map.words(name)]
        return sum(word << 8 * WORD_BYTES * i for i, word in enumerate(words))

    def _write(self, name: str, value: int) -> None:
        for i, register in enumerate(self._map.words(name)):
            word = value >> 8 * WORD_BYTES * i & (1 << 8 * WORD_BYTES) - 1
            self._device.write(register.offset, word)

    def _control(self, name: str) -> None:
        self._write("control", 1 << CONTROL_BITS[name])

    def _require_rest(self, what: str) -> None:
        if "busy" in self.status():
            raise UserError(f"a program runs: wait for it, or give it up, to {what}")

    def _require(self, address: int, step: int, name: str) -> None:
        if address % step or not 0 <= address < 1 << self._config.address_bits:
            raise UserError(
                f"{name} = {address:#x}: expected a multiple of {step:,} below "
                f"2^{self._config.address_bits}"
            )
