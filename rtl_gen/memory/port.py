"""The memory port's streams: what goes between the accelerator and memory."""

from amaranth.hdl import unsigned
from amaranth.lib.data import StructLayout

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import ADDRESS_BITS, COUNT_BITS


def read_request_layout() -> StructLayout:
    """`beats` beats from `address` (bytes, a whole beat) on; they return in order on the data stream."""
    return StructLayout({"address": unsigned(ADDRESS_BITS), "beats": unsigned(COUNT_BITS)})


def write_layout(config: AcceleratorConfig) -> StructLayout:
    """One beat for `address` (bytes, a whole beat)."""
    return StructLayout(
        {"address": unsigned(ADDRESS_BITS), "data": unsigned(8 * config.bus_bytes)}
    )
