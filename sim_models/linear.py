"""Cycles of a linear layer, estimated from the architecture: not calibrated against the RTL.

Weight-stationary: a tile of lanes x width weights stays in the array while all tokens pass, one a
cycle; the next tile loads meanwhile. The first tile's load and the drain of the last pass show.
"""

from rtl_gen.config import AcceleratorConfig
from rtl_gen.linear.linear import LinearEngine
from rtl_gen.linear.tile_walker import TileWalker


def linear_cycles(
    config: AcceleratorConfig, inputs: int, outputs: int, tokens: int, *, other_beats: int = 0
) -> int:
    """A layer of `inputs` to `outputs` channels on `tokens` tokens.

    other_beats: of what else comes through the memory port behind the weights.
    """
    tiles = -(-outputs // config.lanes) * -(-inputs // config.width)
    tile_beats = config.macs // config.bus_bytes
    compute = tiles * max(tokens, tile_beats, TileWalker.MIN_PASS)
    load = tiles * tile_beats + other_beats
    return tile_beats + max(compute, load) + LinearEngine.drain_cycles(config)
