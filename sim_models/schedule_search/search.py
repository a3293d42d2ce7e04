"""The search: measure layers, plan, and evaluate plans truly until no faster one is good enough.

1. Every layer prunes alone, to each of `measured_counts`. Few images make the losses uneven: they
   are replaced by the nearest that do not fall where fewer tokens stay (isotonic regression), and
   interpolated by monotone cubic pieces (Fritsch and Carlson, SIAM J. Numer. Anal. 1980).
2. `planning` gives all schedules that are best by the sums of layers.
3. Their true losses rise along that front nearly always: bisection finds where they pass the
   largest loss allowed, and a few plans beyond are tried as well.

The result is the evaluated schedule of fewest cycles that keeps to the loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from model.schedule import ListedSchedule, Schedule
from sim_models.schedule_search.planning import Plan

COUNTS = 10
"""Numbers of tokens that every layer is measured with."""
FEWEST_SHARE = 1 / 24
"""Of the patches: the least of them but 0."""
ROUNDING = 1e-6
"""Of a loss, in nats."""
BEYOND = 3
"""Plans that are tried behind the first one that loses too much."""


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


def measured_counts(patches: int) -> list[int]:
    """0 and a geometric series below `patches`."""
    series = np.geomspace(max(patches * FEWEST_SHARE, 1), patches, COUNTS)
    return sorted({0, *(round(value) for value in series[:-1].tolist())} - {patches})


def interpolated(counts: Sequence[int], losses: np.ndarray, patches: int) -> np.ndarray:
    """Losses (layers, patches + 1) from those of some counts; nothing is lost with all patches."""
    falling = [isotonic_regression(layer, increasing=False).x for layer in losses]
    whole = np.column_stack([falling, np.zeros(len(losses))])
    return PchipInterpolator([*counts, patches], whole, axis=1)(np.arange(patches + 1))


def search(
    front: Sequence[Plan], evaluate: Evaluate, most: float, progress: Callable[[int], object]
) -> list[Evaluated]:
    """Evaluated plans of a front, which runs from the slowest plan, that loses nothing.

    Args:
        front: plans from most cycles to fewest.
        evaluate: their true cycles and losses.
        most: largest mean loss, in nats.
        progress: called with 1 after every evaluation.
    """
    found: dict[int, Evaluated] = {}

    def keeps_to_the_loss(index: int) -> bool:
        plan = front[index]
        found[index] = evaluate(ListedSchedule(kept=plan.kept), plan)
        progress(1)
        return found[index].loses_at_most(most)

    good, bad = -1, len(front)
    while bad - good > 1:
        middle = (good + bad) // 2
        if keeps_to_the_loss(middle):
            good = middle
        else:
            bad = middle
    for index in range(bad + 1, min(bad + 1 + BEYOND, len(front))):
        if index not in found:
            keeps_to_the_loss(index)
    return [found[index] for index in sorted(found)]


def most_evaluations(front: Sequence[Plan]) -> int:
    return len(front).bit_length() + BEYOND


def best(evaluated: Sequence[Evaluated], most: float) -> Evaluated | None:
    """Of those that lose at most `most`, the one of fewest cycles, of these of least loss."""
    allowed = [one for one in evaluated if one.loses_at_most(most)]
    return min(allowed, key=lambda one: (one.cycles, one.loss), default=None)
