"""The software's half: Hypothesis draws damaged files and arguments, and shrinks what fails."""

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning

from cocotb_tests.fuzz.attempts import Attempt, HangError, judge
from cocotb_tests.fuzz.targets import TARGETS

MOST_FINDINGS = 20
"""Of a round: after that, more of them say little."""


@dataclass(frozen=True)
class Finding:
    """An attempt that ended wrongly, as small as Hypothesis could make it."""

    target: str
    round: int
    attempt: Attempt
    problem: str

    @property
    def hangs(self) -> bool:
        """It costs so much time that a round ends with it."""
        return HangError.__name__ in self.signature

    @property
    def signature(self) -> str:
        """What it has in common with others of its kind: kind and place of an exception."""
        first, *_, last = [self.problem, *self.problem.strip().splitlines()]
        places = re.findall(r'File ".*?((?:model|rtl_gen|sim_models)/\S+", line \d+)', first)
        return f"{last.split(':')[0][:60]} {places[-1] if places else ''}"

    def save(self, folder: Path) -> None:
        """The files and the command, to be tried by hand."""
        folder.mkdir(parents=True, exist_ok=True)
        text = f"{self.attempt!r}\n\n{self.problem}\n"
        (folder / "problem.txt").write_text(text, errors="backslashreplace")
        for name, contents in self.attempt.files.items():
            if isinstance(contents, bytes):
                (folder / name.replace("/", "-")).write_bytes(contents)


def run_round(
    target: str, drawn_from: int, number: int, count: int, ended: Counter
) -> Iterator[Finding]:
    """Draw `count` attempts of a target, again behind every new kind of finding.

    Attempts follow from the seed `drawn_from` and the number of the round. `ended` counts those
    that were right, refused or wrong, none of them twice.
    """
    known: set[str] = set()
    while len(known) < MOST_FINDINGS:
        counts: Counter = Counter()
        finding = _first(target, drawn_from, number, count, known, counts)
        if finding is None:
            ended.update(counts)
            return
        known.add(finding.signature)
        yield finding
        if finding.hangs:
            return


def _first(
    target: str, drawn_from: int, number: int, count: int, known: set[str], counts: Counter
) -> Finding | None:
    """The first finding of a kind that is not `known`, shrunk."""
    last: list[Finding] = []

    @seed(f"{drawn_from} {number} {target}")
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(TARGETS[target]())
    def attempts_end(attempt: Attempt) -> None:
        ending, problem = judge(attempt)
        if problem is None:
            counts["right" if ending.status == 0 else "refused"] += 1
            return
        finding = Finding(target, number, attempt, problem)
        if finding.signature in known:
            counts["wrong"] += 1
            return
        last[:] = [finding]
        # Hypothesis does not shrink a HangError, which would take as long again each time.
        raise HangError if finding.hangs else AssertionError

    with warnings.catch_warnings():
        # Of strategies that are too long to print.
        warnings.simplefilter("ignore", HypothesisWarning)
        try:
            attempts_end()
        except (AssertionError, HangError):
            return last[0]
    return None
