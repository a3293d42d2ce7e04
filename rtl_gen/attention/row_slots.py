"""Places of the rows in flight between QK^T and PV: `row_slots` slots, a row of beats in each.

A row keeps its slot from its first score until its last PV beat. Scores, exponentials and key
addresses of a beat lie at the same place of their memories.
"""

from amaranth.hdl import unsigned
from amaranth.lib.data import StructLayout

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import slot_address_bits


def slot_write_layout(config: AcceleratorConfig, shape) -> StructLayout:
    """A beat's `data` of `shape` for its place."""
    return StructLayout({"address": unsigned(slot_address_bits(config)), "data": shape})
