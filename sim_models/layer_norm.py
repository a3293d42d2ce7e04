"""Cycles of LayerNorm, from the latencies that the unit states itself."""

from rtl_gen.config import AcceleratorConfig
from rtl_gen.norm.layer_norm import LayerNorm


def norm_cycles(config: AcceleratorConfig, tokens: int, dim: int) -> int:
    """From the transfer of the norm's command to the first cycle in which it takes the next one.

    `tokens` live tokens of `dim` channels; the token's values do not matter.
    """
    return LayerNorm.cycles(config, tokens, -(-dim // config.norm_channels))
