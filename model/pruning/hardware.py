"""Schedules as the hardware prunes: after the attention of a layer, to a number of tokens."""

from itertools import pairwise

from model.network.shape import Network
from model.pruning.placement import Placement
from model.pruning.schedule import Schedule
from rtl_gen.errors import UserError


def kept_after_attention(schedule: Schedule, network: Network) -> list[int]:
    """Tokens, CLS included, that survive each layer's attention.

    Raises:
        UserError: a schedule that drops tokens anywhere else.
    """
    tokens = schedule.layer_tokens(network)
    if any(layer.projection != layer.leaving for layer in tokens) or any(
        before.leaving != after.attention for before, after in pairwise(tokens)
    ):
        raise UserError(
            f"the schedule prunes {schedule.placement}: the hardware prunes "
            f"{Placement.AFTER_ATTENTION}, choose a reading with that placement"
        )
    return [layer.leaving for layer in tokens]


def prune_counts(network: Network, schedule: Schedule) -> list[int | None]:
    """Tokens (CLS counted) that each layer leaves; None where it drops none."""
    leaving = kept_after_attention(schedule, network)
    pairs = pairwise([network.tokens, *leaving])
    return [None if before == after else after for before, after in pairs]
