"""How far the model is off, on the samples that it was not fitted on."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from rtl_gen.area import measured, model, samples
from rtl_gen.config import AcceleratorConfig
from rtl_gen.synthesis.technology import Counts, add
from rtl_gen.synthesis.ultrascale import ULTRASCALE


@dataclass(frozen=True)
class Comparison:
    """A sample, whole: what synthesis counted, and what the model says."""

    sample: str
    config: AcceleratorConfig
    counted: Counts
    predicted: Counts

    def error(self, column: str) -> float:
        """Relative to what was counted; signed."""
        counted, predicted = self.counted[column], self.predicted[column]
        return predicted / counted - 1 if counted else float(predicted > 0)


@cache
def comparisons() -> tuple[Comparison, ...]:
    """Of the samples that were held back."""
    held_back = samples.held_back()
    return compare(row for row in measured.read(model.MEASURED) if row.sample in held_back)


def compare(rows: Iterable[measured.Row]) -> tuple[Comparison, ...]:
    """The samples of these rows."""
    by_sample: dict[str, list[measured.Row]] = {}
    for row in rows:
        by_sample.setdefault(row.sample, []).append(row)
    return tuple(
        Comparison(name, of[0].config, _counted(of), model.predict(of[0].config))
        for name, of in by_sample.items()
    )


def worst_errors() -> dict[str, float]:
    """By column, without sign."""
    return {
        column: max(abs(one.error(column)) for one in comparisons())
        for column in ULTRASCALE.headings
    }


def mean_errors() -> dict[str, float]:
    """By column, without sign."""
    found = comparisons()
    return {
        column: sum(abs(one.error(column)) for one in found) / len(found)
        for column in ULTRASCALE.headings
    }


def _counted(rows: Iterable[measured.Row]) -> Counts:
    counts = [
        {name: model.copies(row.unit, row.config) * count for name, count in row.counts.items()}
        for row in rows
    ]
    return add(counts, ULTRASCALE.headings)
