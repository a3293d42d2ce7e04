"""The best schedules by what each layer costs and loses, as sums over layers.

The loss of a schedule is estimated from layers that prune alone: if F_l(k) is lost where layer l
alone prunes to k tokens, then a schedule that leaves k_l tokens in layer l loses about

    sum over l of F_l(k_l) - F_l(k_(l-1)),        k_(-1) = all,

the tokens that go in layer l being those between the two ranks. Cycles are sums too
(`layer_cycles`), so that for any price of a nat the schedule of least cycles + price * loss follows
by dynamic programming over layers and tokens. Prices between two known schedules give the next one,
until the lower convex front of cycles and loss is complete (Eisner and Severance, J. ACM 1976).
"""

from dataclasses import dataclass

import numpy as np

from sim_models.schedule_search.layer_cycles import LayerCycles


@dataclass(frozen=True)
class Plan:
    """Patch tokens that leave each layer, with estimates of cycles and loss."""

    kept: tuple[int, ...]
    cycles: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Layers by patch tokens.

    losses: nats (layers, patches + 1) where a layer alone prunes to so many tokens
    """

    cycles: LayerCycles
    losses: np.ndarray

    def plan(self, price: float) -> Plan:
        """The schedule of least cycles + price (cycles a nat) * loss."""
        layers, counts = self.losses.shape
        tokens = np.arange(counts)
        # [before, after]: nothing may come back.
        selection = np.where(tokens < tokens[:, None], self.cycles.selection, 0)
        selection = np.where(tokens > tokens[:, None], np.inf, selection)
        least = np.where(tokens == counts - 1, 0, np.inf)
        chosen = np.empty((layers, counts), dtype=np.int64)
        for layer in range(layers):
            lost = price * self.losses[layer]
            before = least + self.cycles.entering[layer] - lost
            paths = before[:, None] + selection
            chosen[layer] = paths.argmin(axis=0)
            least = paths.min(axis=0) + self.cycles.leaving[layer] + lost
        kept = [int(least.argmin())]
        for layer in range(layers - 1, 0, -1):
            kept.append(int(chosen[layer, kept[-1]]))
        return self.of(tuple(reversed(kept)))

    def of(self, kept: tuple[int, ...]) -> Plan:
        """The estimates of a schedule."""
        cycles, loss = float(self.cycles.outside), 0.0
        before = self.losses.shape[1] - 1
        for layer, after in enumerate(kept):
            cycles += self.cycles.entering[layer, before] + self.cycles.leaving[layer, after]
            cycles += self.cycles.selection * (after < before)
            loss += self.losses[layer, after] - self.losses[layer, before]
            before = after
        return Plan(kept, float(cycles), float(loss))

    def front(self) -> list[Plan]:
        """All schedules that are best at some price, from most cycles to fewest."""
        layers, counts = self.losses.shape
        found = [self.of((counts - 1,) * layers), self.plan(0.0)]
        pending = [(found[0], found[1])]
        while pending:
            slow, fast = pending.pop()
            if slow.cycles <= fast.cycles or slow.loss >= fast.loss:
                continue
            price = (slow.cycles - fast.cycles) / (fast.loss - slow.loss)
            best = self.plan(price)
            gain = slow.cycles + price * slow.loss - (best.cycles + price * best.loss)
            if gain > _TOLERANCE * slow.cycles and best not in (slow, fast):
                found.append(best)
                pending += [(slow, best), (best, fast)]
        return sorted(found, key=lambda plan: -plan.cycles)


_TOLERANCE = 1e-9
"""Relative; gains below it are rounding."""
