"""The hardware's half: batches of damaged programs through one simulation each."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.fuzz.bench_programs import GOOD_LIMIT_CYCLES
from cocotb_tests.fuzz.cases import Case
from cocotb_tests.fuzz.programs import MEMORY_END, good
from cocotb_tests.harness.runner import SimulationError, simulate
from cocotb_tests.network.run import system_verilog
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.program import ErrorCode

RESET = "reset"
NO_END = "no end"


@dataclass(frozen=True)
class Outcome:
    """How a case ended."""

    number: int
    kind: str
    ended: str
    """Name of an error code, or RESET or NO_END."""
    problem: str | None
    """What is wrong with that, if anything."""


def run_cases(cases: Sequence[Case], simulator: str) -> list[Outcome]:
    """Run cases one after the other, those of a configuration in one simulation.

    A simulator that stops (an RTL assertion, a broken rule of AXI) is the problem of the case that
    ran; those behind it are left out.
    """
    runs = groupby(cases, key=lambda case: case.config)
    return [outcome for config, of in runs for outcome in _run_on(config, list(of), simulator)]


def _run_on(config: AcceleratorConfig, cases: Sequence[Case], simulator: str) -> list[Outcome]:
    right = good(config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "contents.npz")
        np.savez(path, **{str(c.number): np.frombuffer(c.contents(), np.uint8) for c in cases})
        parameters = {
            "config": config.as_dict(),
            "memory_bytes": MEMORY_END,
            "good": {"program": right.data.tolist(), **right.expectation},
            "contents": str(path),
            "cases": [_description(case) for case in cases],
        }
        try:
            values = simulate(
                system_verilog(config, MEMORY_END // config.bus_bytes),
                simulator=simulator,
                bench="cocotb_tests.fuzz.bench_programs",
                models=[VERILOG],
                parameters=parameters,
            ).values
        except SimulationError as error:
            return [_stopped(cases, error)]
    kinds = {case.number: case for case in cases}
    return [_outcome(kinds[found["number"]], found) for found in values["outcomes"]]


def smallest(case: Case, simulator: str, budget: int = 12) -> tuple[Case, bool]:
    """The case with as few of its splices as still fail, and whether it fails alone at all.

    Splices are left out by halves, quarters and so on, within `budget` runs.
    """
    if not run_cases([case], simulator)[-1].problem:
        return case, False
    parts = 2
    while len(case.splices) > 1 and budget > 0:
        size = -(-len(case.splices) // parts)
        for first in range(0, len(case.splices), size):
            budget -= 1
            fewer = case.without(first, size)
            if budget >= 0 and run_cases([fewer], simulator)[-1].problem:
                case, parts = fewer, 2
                break
        else:
            if size == 1:
                break
            parts *= 2
    return case, True


def _description(case: Case) -> dict:
    """What the bench is told."""
    foreseen, behaviour = case.foresee(), case.behaviour
    return {
        "number": case.number,
        "address": case.address,
        "place": case.place,
        "limit_cycles": max(foreseen.cycles, GOOD_LIMIT_CYCLES),
        "latency": behaviour.latency,
        "rate": behaviour.rate,
        "stall": behaviour.stall,
        "faults": [behaviour.faults.start, behaviour.faults.stop],
        "response": behaviour.response,
        "reset_before_end": case.reset_before_end,
        "codes": sorted(foreseen.codes) if foreseen.certain else None,
        "stores": [[r.start, r.stop] for r in foreseen.stores] if foreseen.certain else None,
    }


def _outcome(case: Case, found: dict) -> Outcome:
    if found["cycles"] is None:
        ended = NO_END
    elif found["code"] is None:
        ended = RESET
    else:
        ended = ErrorCode(found["code"]).name
    return Outcome(case.number, case.kind, ended, found["problem"])


def _stopped(cases: Sequence[Case], error: SimulationError) -> Outcome:
    running = re.findall(r"case (\d+)\b", str(error)) or [str(cases[0].number)]
    case = next(case for case in cases if case.number == int(running[-1]))
    return Outcome(case.number, case.kind, NO_END, f"the simulation stopped: {error}")
