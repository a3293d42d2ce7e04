"""SET_TOKENS and PRUNE: the sequence's tokens, and SpAtten's cascade pruning of them.

    PRUNE -> TopK -> keep words -> LiveTokens -> live_list, live
              ^                        ^
         importance                SET_TOKENS

PRUNE reads the importance sums a digit at a time, keeps the most important tokens and clears the
sums behind itself. SET_TOKENS makes the first tokens live and clears all sums beside that.
"""

from collections.abc import Mapping

from amaranth.hdl import Value
from amaranth.lib.data import View

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.topk import TopK


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    beyond = (command.count == 0) | (command.count > config.max_tokens)
    return {ErrorCode.COUNT_OUT_OF_RANGE: beyond}


def _set_tokens_cycles(config: AcceleratorConfig, _command: Mapping, _tokens: int, _live: int):
    return LiveTokens.fill_latency(config)


def _prune_cycles(config: AcceleratorConfig, _command: Mapping, tokens: int, _live: int) -> int:
    """Neither how many are live, nor how many are kept, nor their importance matters."""
    return TopK.latency(config, tokens) + LiveTokens.UPDATE_LATENCY


SET_TOKENS = Command(
    name="SET_TOKENS",
    does="tokens 0 .. `count` - 1 are live, importance sums are 0",
    fields=("count",),
    unit="prune",
    errors=_errors,
    busy_cycles=_set_tokens_cycles,
)

PRUNE = Command(
    name="PRUNE",
    does="the `count` most important live tokens stay, sums are 0",
    fields=("count",),
    unit="prune",
    needs_tokens=True,
    errors=_errors,
    busy_cycles=_prune_cycles,
)
