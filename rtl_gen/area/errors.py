"""How far the model is off on configurations that it was not fitted on.

Every sample is predicted by a fit to the others, without units of theirs that are equal to one of
its own. The model that is used is fitted to all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from rtl_gen.area import measured, model
from rtl_gen.area.columns import HEADINGS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.synthesis.technology import Counts


@dataclass(frozen=True)
class Comparison:
    """A sample, whole: what synthesis counted, and what is predicted."""

    sample: str
    config: AcceleratorConfig
    counted: Counts
    predicted: Counts

    def error(self, column: str) -> float:
        """Relative to what was counted; signed."""
        return self.predicted[column] / self.counted[column] - 1


@cache
def comparisons() -> tuple[Comparison, ...]:
    """Of all samples, each unseen."""
    rows = measured.read(model.MEASURED)
    return tuple(unseen(rows, sample) for sample in dict.fromkeys(row.sample for row in rows))


def unseen(rows: Sequence[measured.Row], sample: str) -> Comparison:
    """A sample by a fit to the rows that have nothing of it."""
    own = [row for row in rows if row.sample == sample]
    texts = {row.text for row in own}
    fit = model.fit([row for row in rows if row.text not in texts and row.sample != sample])
    return compare(own, fit)


def compare(rows: Sequence[measured.Row], fit: model.Fit) -> Comparison:
    """The rows of a sample with a fit."""
    config = rows[0].config
    counted = {row.unit: row.counts for row in rows}
    return Comparison(
        rows[0].sample, config, model.whole(counted, config), model.whole(fit.units(config), config)
    )


def mean_errors() -> Mapping[str, float]:
    """By column, without sign."""
    return {name: sum(errors) / len(errors) for name, errors in _errors().items()}


def worst_errors() -> Mapping[str, float]:
    """By column, without sign."""
    return {name: max(errors) for name, errors in _errors().items()}


def _errors() -> dict[str, list[float]]:
    return {name: [abs(one.error(name)) for one in comparisons()] for name in HEADINGS}
