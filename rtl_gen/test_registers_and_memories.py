"""What the registers of the default preset cost outside an FPGA: which have a reset (flags, states,
counters and addresses, but no data), and that no memory is made of them.
"""

from collections.abc import Iterator

import pytest
from amaranth.hdl import Fragment, MemoryInstance, Shape, Signal

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import DEFAULT
from rtl_gen.memory import sram

WIDEST = 32
"""Bits of a counter or of an address of memory."""

MEMORY_BITS = 4096
"""From this size on a memory is an `sram_*` module."""

STATES = {
    "cluster.dispatcher.program__fetch__payload": "an address and a number of rows",
    "cluster.dispatcher.store_check.check__result": "the flag `outside` of it",
    "cluster.core_0.pool.sums": "begin at zero",
    "cluster.core_0.prune.live_tokens.live": "which tokens are live",
    "packer.rows__payload": "the flag `lost` of it",
    "reader.out__payload": "the flag `lost` of it",
}
"""Wider registers that are no data."""


def _registers(fragment: Fragment, path: str) -> Iterator[tuple[str, Signal]]:
    """All below, with the name of the unit that each is in."""
    for statement in fragment.statements.get("sync", ()):
        yield from ((path, signal) for signal in statement._lhs_signals())
    for inner, name, _ in fragment.subfragments:
        yield from _registers(inner, f"{path}{name}.")


@pytest.fixture(scope="module")
def fragment() -> Fragment:
    return Fragment.get(Accelerator(DEFAULT), sram.VERILOG)


def test_data_have_no_reset(fragment):
    registers = {f"{path}{signal.name}": signal for path, signal in _registers(fragment, "")}
    assert len(registers) > 1000
    wide = {
        name for name, signal in registers.items() if len(signal) > WIDEST and not signal.reset_less
    }
    assert wide == set(STATES)


def _memories(fragment: Fragment, path: str) -> Iterator[tuple[str, int]]:
    """Bits of those that are none of the `sram_*` modules, and have no contents at power-up."""
    for inner, name, _ in fragment.subfragments:
        if isinstance(inner, MemoryInstance):
            assert not any(inner._data.init), f"{path}: contents at power-up"
            yield path, inner._data.depth * Shape.cast(inner._data.shape).width
        else:
            yield from _memories(inner, f"{path}.{name}")


def test_large_memories_are_modules(fragment):
    sizes = dict(_memories(fragment, "top"))
    # The largest of all others are the finished rows of a head: 7 words of 64 bytes and a token.
    assert max(sizes.values()) == 7 * 520 < MEMORY_BITS
