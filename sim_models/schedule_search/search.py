"""The search: measure the layers of a schedule, plan others near it, and evaluate them truly.

1. One layer of the schedule drops fewer or more tokens, layer by layer. Few images make the losses
   uneven: they are replaced by the nearest that rise with the dropped tokens (isotonic regression),
   and interpolated by monotone cubic pieces (Fritsch and Carlson, SIAM J. Numer. Anal. 1980).
2. `planning` gives all schedules that are best by the sums of layers, within what was measured.
3. Their true losses rise along that front nearly always: bisection finds where they pass the
   largest loss allowed, and goes on halfway between the two plans around that place.

The result is the evaluated schedule of fewest cycles that keeps to the loss; another search can
start from it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from model.network.shape import Network
from model.pruning.schedule import ListedSchedule, Schedule
from sim_models.schedule_search.planning import Plan

FACTORS = (0.5, 1.5, 2.0)
"""Of the tokens that a layer drops: what is measured beside none and as many."""
LEAST_SHARE = 24
"""Of the patches a part: a layer that drops fewer is measured as if it dropped so many."""
ROUNDING = 1e-6
"""Of a loss, in nats."""
BETWEEN = 4
"""Schedules that are tried between the last plan that keeps to the loss and the next."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A schedule and what it truly costs and loses."""

    schedule: Schedule
    cycles: int
    losses: np.ndarray
    """Nats of every image."""
    plan: Plan | None = None
    """What was estimated, if it was planned."""

    @property
    def loss(self) -> float:
        """Mean, in nats."""
        return float(self.losses.mean())

    def loses_at_most(self, nats: float) -> bool:
        """Whether it does, but for rounding in float32."""
        return self.loss <= nats + ROUNDING


Evaluate = Callable[[Schedule, Plan | None], Evaluated]


def free_layers(network: Network) -> int:
    """Last layers whose survivors make no difference to the results.

    Behind the attention of the last layer nothing looks at a patch, unless their mean is read.
    """
    return 0 if network.pools else 1


def measured_drops(kept: Sequence[int], network: Network) -> list[list[int]]:
    """For every layer but free ones, numbers of tokens to drop there, others than `kept` drops."""
    patches, free = network.patch_tokens, free_layers(network)
    drops = []
    for before, after in pairwise([patches, *kept[: len(kept) - free]]):
        own = before - after
        base = max(own, patches // LEAST_SHARE, 1)
        numbers = {0, *(round(base * factor) for factor in FACTORS)} - {own}
        most = before - network.least_patches
        drops.append(sorted(number for number in numbers if number <= most))
    return drops + [[]] * free


def changes_of(
    kept: Sequence[int],
    loss: float,
    drops: Sequence[Sequence[int]],
    losses: Sequence[np.ndarray],
    network: Network,
) -> np.ndarray:
    """Nats (layers, patches + 1) beside those of `kept` where a layer drops so many tokens.

    From the losses of some numbers; infinite beyond the largest of them, but in a free layer.
    """
    patches, bound = network.patch_tokens, len(kept) - free_layers(network)
    changes = np.full((len(kept), patches + 1), np.inf)
    changes[bound:] = 0
    for layer, (before, after) in enumerate(pairwise([patches, *kept[:bound]])):
        known = {before - after: loss} | dict(zip(drops[layer], losses[layer], strict=True))
        numbers = sorted(known)
        rising = isotonic_regression([known[number] for number in numbers]).x
        rising -= rising[numbers.index(before - after)]
        reach = np.arange(numbers[-1] + 1)
        changes[layer, reach] = PchipInterpolator(numbers, rising)(reach)
    return changes


def search(
    front: Sequence[Plan], evaluate: Evaluate, most: float, progress: Callable[[int], object]
) -> list[Evaluated]:
    """Plans of a front, and schedules between two of them, evaluated.

    Args:
        front: plans from most cycles to fewest.
        evaluate: their true cycles and losses.
        most: largest mean loss, in nats.
        progress: called with 1 after every evaluation.
    """
    found: list[Evaluated] = []

    def keeps_to_the_loss(kept: tuple[int, ...], plan: Plan | None = None) -> bool:
        found.append(evaluate(ListedSchedule(kept=kept), plan))
        progress(1)
        return found[-1].loses_at_most(most)

    good, bad = -1, len(front)
    while bad - good > 1:
        middle = (good + bad) // 2
        if keeps_to_the_loss(front[middle].kept, front[middle]):
            good = middle
        else:
            bad = middle
    if good >= 0 and bad < len(front):
        slow, fast = front[good].kept, front[bad].kept
        for _ in range(BETWEEN):
            half = tuple((before + after) // 2 for before, after in zip(slow, fast, strict=True))
            if half in (slow, fast):
                break
            if keeps_to_the_loss(half):
                slow = half
            else:
                fast = half
    return found


def most_evaluations(front: Sequence[Plan]) -> int:
    return len(front).bit_length() + BETWEEN


def best(evaluated: Sequence[Evaluated], most: float) -> Evaluated | None:
    """Of those that lose at most `most`, the one of fewest cycles, of these of least loss."""
    allowed = [one for one in evaluated if one.loses_at_most(most)]
    return min(allowed, key=lambda one: (one.cycles, one.loss), default=None)
