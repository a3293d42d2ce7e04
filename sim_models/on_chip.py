"""Capacity of the memories on the chip: as built, or what a network uses of them.

The memory plan (rtl_gen/interfaces/memories.py) is the one definition.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from model.network.shape import Network
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import memory_plan, plan_bits
from rtl_gen.interfaces.memory import Memory


def on_chip_memories(
    config: AcceleratorConfig, network: Network | None = None
) -> Mapping[str, Memory]:
    """Every memory by name: as built, or with the words that `network` uses. Each core has its own
    of those that are `of_core`.
    """
    if network is None:
        return memory_plan(config)
    dim = config.channel_rows(network.dim) * config.width
    plan = memory_plan(config, tokens=network.tokens, dim=dim)
    hidden = replace(plan["hidden"], words=_hidden_rows(config, network))
    return MappingProxyType({**plan, "hidden": hidden})


def _hidden_rows(config: AcceleratorConfig, network: Network) -> int:
    """Rows of patches, of attention's outputs, of the FFN's hidden channels, or of results."""
    channels = network.patch_inputs, network.heads * config.width, network.hidden
    of_tokens = network.tokens * max(map(config.channel_rows, channels))
    results = min(network.outputs, config.hidden_dim) * numerics.LOGIT_BITS
    return max(of_tokens, -(-results // config.row_bits))


def on_chip_bytes(config: AcceleratorConfig, network: Network | None = None) -> float:
    """Bytes of all memories of all cores: as built, or those that `network` uses."""
    return plan_bits(config, on_chip_memories(config, network)) / 8
