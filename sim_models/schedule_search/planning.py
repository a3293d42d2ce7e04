"""The best schedules near a given one, by what each layer costs and loses, as sums over layers.

If h_l(d) is what the given schedule, whose loss is L, loses where layer l drops d tokens instead,
then a schedule that drops d_l tokens in layer l is estimated to lose

    L + sum over l of h_l(d_l) - L.

Cycles are sums too (`layer_cycles`), so that for any price of a nat the schedule of least cycles +
price * loss follows by dynamic programming over layers and tokens. Prices between two known
schedules give the next one, until the lower convex front of cycles and loss is complete (Eisner and
Severance, J. ACM 1976).
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
    """Layers by tokens.

    loss: of the given schedule, in nats
    changes: nats (layers, patches + 1) that are lost beside it where a layer drops so many tokens;
        infinite where that is unknown
    """

    cycles: LayerCycles
    loss: float
    changes: np.ndarray

    def plan(self, price: float) -> Plan:
        """The schedule of least cycles + price (cycles a nat) * loss."""
        layers, counts = self.changes.shape
        tokens = np.arange(counts)
        dropped = tokens[:, None] - tokens
        selection = np.where(dropped > 0, self.cycles.selection, 0)
        least = np.where(tokens == counts - 1, 0, np.inf)
        chosen = np.empty((layers, counts), dtype=np.int64)
        for layer in range(layers):
            known = np.isfinite(self.changes[layer])
            lost = np.where(known, price * np.where(known, self.changes[layer], 0), np.inf)
            by_drop = np.where(dropped < 0, np.inf, lost[dropped])
            paths = (least + self.cycles.entering[layer])[:, None] + selection + by_drop
            chosen[layer] = paths.argmin(axis=0)
            least = paths.min(axis=0) + self.cycles.leaving[layer]
        kept = [int(least.argmin())]
        for layer in range(layers - 1, 0, -1):
            kept.append(int(chosen[layer, kept[-1]]))
        return self.of(tuple(reversed(kept)))

    def of(self, kept: tuple[int, ...]) -> Plan:
        """The estimates of a schedule."""
        cycles, loss = float(self.cycles.outside), self.loss
        before = self.changes.shape[1] - 1
        for layer, after in enumerate(kept):
            cycles += self.cycles.entering[layer, before] + self.cycles.leaving[layer, after]
            cycles += self.cycles.selection * (after < before)
            loss += self.changes[layer, before - after]
            before = after
        return Plan(kept, float(cycles), float(loss))

    def front(self) -> list[Plan]:
        """All schedules that are best at some price, from most cycles to fewest."""
        layers, counts = self.changes.shape
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
