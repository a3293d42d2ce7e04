"""What RTL runs have left in files: whole networks, and the calibration of the cycle model.

Files come from `make deit` (a run each) and from `make calibrate`; neither has to be there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pydantic import BaseModel, ValidationError

from model.files.text_file import read_text
from model.masks.strategies import SPARSITY_MEANS
from rtl_gen.errors import UserError
from sim_models.figures.tables import Column, TextTable, text_table

Kind = TypeVar("Kind", bound=BaseModel)


class RtlRun(BaseModel):
    """The part of a run's file that is reported."""

    model: str
    network: str
    sparsity: float | None
    prune: bool
    config: str
    latency: int
    rate: int
    seed: int
    compared: int
    mismatches: int
    cycles: int
    cycles_model: int | None = None
    mac_bound_cycles: int


class Counter(BaseModel):
    """One counter, summed over the cases of a calibration."""

    rtl: int
    model: int
    largest_error: int


class Summary(BaseModel):
    """Cases of one kind of memory."""

    cases: int
    cycles_rtl: int
    cycles_model: int
    largest_relative_error: float


class Calibration(BaseModel):
    """The part of a calibration's report that is reported."""

    seed: int
    cases: int
    failed: int
    fixed_memory: Summary
    random_stall: Summary
    by_counter: dict[str, Counter]


class Evidence(BaseModel):
    """All that was found."""

    runs: dict[str, RtlRun]
    """By the file's name without suffix."""
    calibration: Calibration | None


def find_evidence(runs: Path, calibration: Path) -> Evidence:
    """Read the runs in a folder and the calibration's report, whichever exist.

    Raises:
        UserError: a file of another kind.
    """
    found = {path.stem: _read(path, RtlRun, "make deit") for path in sorted(runs.glob("*.json"))}
    report = _read(calibration, Calibration, "make calibrate") if calibration.is_file() else None
    return Evidence(runs=found, calibration=report)


def _read(path: Path, kind: type[Kind], source: str) -> Kind:
    try:
        return kind.model_validate_json(read_text(path, "JSON file"))
    except ValidationError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is no result of `{source}` ({reason}): move it away or run `{source}` again"
        ) from error


def evidence_tables(evidence: Evidence) -> Iterator[TextTable]:
    """A line a run; a line a kind of memory; a line a counter."""
    if evidence.runs:
        yield _runs_table(evidence.runs)
    if evidence.calibration is not None:
        yield _memories_table(evidence.calibration)
        yield _counters_table(evidence.calibration)


def _runs_table(runs: dict[str, RtlRun]) -> TextTable:
    data = pd.DataFrame([{"run": name, **run.model_dump()} for name, run in runs.items()])
    data = data.astype({"cycles_model": "Int64", "sparsity": "Float64"})
    data["network"] = [Path(name).name for name in data["network"]]
    data["prune"] = data["prune"].map({True: "yes", False: "no"})
    data["difference"] = data["cycles"] - data["cycles_model"]
    data["ratio"] = data["cycles"] / data["mac_bound_cycles"]
    return text_table(
        "rtl-runs",
        "Whole networks in RTL",
        data,
        [
            Column("run", "run"),
            Column("network", "weights"),
            Column("sparsity", "sparsity", "{:.0%}"),
            Column("prune", "pruned"),
            Column("config", "preset"),
            Column("latency", "latency"),
            Column("rate", "rate"),
            Column("compared", "compared", "{:,}"),
            Column("mismatches", "mismatches", "{:,}"),
            Column("cycles", "cycles, RTL", "{:,}"),
            Column("cycles_model", "cycle model", "{:,}"),
            Column("difference", "difference", "{:,}"),
            Column("ratio", "RTL / bound", "{:.3f}"),
        ],
        "Memory: latency in cycles, rate in bytes a cycle. Compared: values of RTL and integer "
        "golden model. Bound: multiply-accumulates / multipliers. "
        f"{SPARSITY_MEANS}.",
    )


def _memories_table(calibration: Calibration) -> TextTable:
    kinds = {
        "ideal or fixed latency": calibration.fixed_memory,
        "random stalls": calibration.random_stall,
    }
    data = pd.DataFrame([{"memory": name, **kind.model_dump()} for name, kind in kinds.items()])
    return text_table(
        "calibration",
        f"Cycle model against RTL: {calibration.cases} random cases, seed {calibration.seed}",
        data,
        [
            Column("memory", "memory"),
            Column("cases", "cases"),
            Column("cycles_rtl", "cycles, RTL", "{:,}"),
            Column("cycles_model", "cycle model", "{:,}"),
            Column("largest_relative_error", "largest error of a case", "{:.3%}"),
        ],
        f"{calibration.failed} cases failed.",
    )


def _counters_table(calibration: Calibration) -> TextTable:
    data = pd.DataFrame(
        [
            {"counter": name.replace("_", " "), **counter.model_dump()}
            for name, counter in calibration.by_counter.items()
        ]
    )
    return text_table(
        "calibration-counters",
        f"By counter, {calibration.fixed_memory.cases} cases on ideal or fixed-latency memory",
        data,
        [
            Column("counter", "counter"),
            Column("rtl", "RTL", "{:,}"),
            Column("model", "cycle model", "{:,}"),
            Column("largest_error", "largest error of a case", "{:,}"),
        ],
    )
