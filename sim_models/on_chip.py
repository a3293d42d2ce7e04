"""Capacity of the memories on the chip: as built, or what a network uses of them.

The memory plan (rtl_gen/interfaces/memories.py) is the one definition.
"""

from collections.abc import Mapping

from model.network import Network
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import Memory, memory_plan


def on_chip_memories(
    config: AcceleratorConfig, network: Network | None = None
) -> Mapping[str, Memory]:
    """Every memory by name: as built, or with the words that `network` uses."""
    if network is None:
        return memory_plan(config)
    return memory_plan(config, tokens=network.tokens, dim=network.dim)


def on_chip_bytes(config: AcceleratorConfig, network: Network | None = None) -> float:
    """Bytes of all memories: as built, or those that `network` uses."""
    return sum(memory.total_bits for memory in on_chip_memories(config, network).values()) / 8
