"""Cycles of the pruning units, from the latencies that the units state themselves."""

from rtl_gen.config import AcceleratorConfig
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.topk import TopK


def fill_cycles(config: AcceleratorConfig) -> int:
    """From the transfer of a fill command to `done`: all tokens of a sequence become live."""
    return LiveTokens.fill_latency(config)


def prune_cycles(config: AcceleratorConfig, tokens: int) -> int:
    """From the transfer of the top-k sorter's command to the updated live tokens.

    `tokens` is the length of the sequence with its dropped tokens; neither how many are live, nor
    how many are kept, nor their importance matters.
    """
    return TopK.latency(config, tokens) + LiveTokens.UPDATE_LATENCY
