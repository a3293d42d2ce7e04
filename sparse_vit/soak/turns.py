"""Turns of a soak: some cases of a kind, all drawn from the seed and the number of the turn.

units     tests of the units of one folder, on other data, on one simulator; a comparison is that
          of all results of a case with the expected ones
networks  random ViTs on a random configuration and memory: every tensor bit by bit, and every
          counter as predicted where the memory does not stall at random
programs  programs of units, of attention layers and of networks: every counter as predicted
damage    damaged programs, as `make fuzz` draws them
"""

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tests
from cocotb_tests.fuzz.hardware import run_cases
from cocotb_tests.fuzz.kinds import BATCHES, draw_case
from cocotb_tests.harness.compare import COMPARISONS_VARIABLE
from cocotb_tests.harness.runner import SimulationError
from cocotb_tests.harness.simulators import SIMULATORS
from cocotb_tests.network.check import check_network
from cocotb_tests.network.random_programs import RandomProgram, random_programs
from cocotb_tests.network.run import MemoryModel, run_programs
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from sim_models.predict import predict_network
from sparse_vit.calibration.both import measure, predict
from sparse_vit.calibration.cases import draw_cases, draw_configs
from sparse_vit.calibration.results import Result, describe

ROOT = Path(cocotb_tests.__file__).parents[1]
NETWORKS = 16
"""One behind the other, in one simulation."""
CASES = 18
"""Of a configuration, as many as `make calibrate` draws."""
STALLS = (0.0, 0.0, 0.1, 0.3)


@dataclass(frozen=True)
class Problem:
    """What was not as it must be, and which of the turn's cases it is, if one alone shows it."""

    what: str
    only: int | None = None


@dataclass
class Turn:
    """How it ended.

    Attributes:
        counts: how many of what were tried, such as networks and layers.
    """

    kind: str
    number: int
    counts: Counter = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def units(turn: Turn, rng: random.Random, _only: int | None) -> None:
    """pytest says which test failed; its seeds are moved by the same number again."""
    benches = {path.parent.name for path in ROOT.glob("cocotb_tests/*/bench_*.py")}
    folder = rng.choice(sorted(each for each in benches if ROOT.joinpath("rtl_gen", each).is_dir()))
    simulator = rng.choice(list(SIMULATORS))
    words = [f"cocotb_tests/{folder}", "--long", "--sim", simulator]
    words.append(f"--seed-offset={rng.randrange(1, 1 << 20)}")
    with tempfile.TemporaryDirectory() as name:
        report, compared = Path(name, "report.xml"), Path(name, "compared")
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                *words,
                f"--junit-xml={report}",
            ],
            cwd=ROOT,
            env=os.environ | {"PYTEST_ADDOPTS": "", COMPARISONS_VARIABLE: str(compared)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
        values = [int(line) for line in compared.read_text().split()] if compared.exists() else []
    turn.counts.update({"comparisons": len(values), "values": sum(values)})
    command = f"pytest {' '.join(words)}"
    if not cases:
        turn.problems.append(Problem(f"no test ran: {command}"))
    for case in cases:
        if case.find("skipped") is not None:
            continue
        turn.counts["unit tests"] += 1
        if case.find("failure") is not None or case.find("error") is not None:
            turn.problems.append(Problem(f"{case.get('name')} failed: {command}"))


def networks(turn: Turn, rng: random.Random, only: int | None) -> None:
    """A network that fails is tried again alone."""
    config = _config(rng)
    memory = MemoryModel(
        latency=rng.choice([2, rng.randint(3, 160)]),
        rate=rng.choice([None, rng.randint(1, config.bus_bytes)]),
        stall=rng.choice(STALLS),
    )
    first = rng.randrange(1 << 30)
    seeds = (
        range(first, first + NETWORKS) if only is None else range(first + only, first + only + 1)
    )
    programs = list(random_programs(config, seeds))
    turn.counts["networks"] += len(programs)
    turn.counts["layers"] += sum(program.shape.layers for program in programs)
    for index, what in _run_networks(turn, config, programs, memory):
        alone = _run_networks(Turn("", 0), config, [programs[index]], memory)
        place = f"network {programs[index].seed} of {config}, {memory}"
        turn.problems.append(Problem(f"{place}: {what}", only=index if any(alone) else None))


def _run_networks(
    turn: Turn, config: AcceleratorConfig, programs: list[RandomProgram], memory: MemoryModel
) -> Iterable[tuple[int, str]]:
    """Index and problem of those that fail."""
    pairs = [(program.image, program.data) for program in programs]
    try:
        runs = run_programs(config, pairs, simulator="verilator", memory=memory)
    except SimulationError as error:
        return [(0, f"the simulation of {len(programs)} networks stopped: {error}")]
    found = []
    for index, (program, run) in enumerate(zip(programs, runs, strict=True)):
        turn.counts["cycles"] += run.counters["cycles"]
        try:
            turn.counts["values"] += check_network(program.image, program.golden, run)
        except AssertionError as error:
            found.append((index, str(error)))
            continue
        if memory.stall:
            continue
        model = predict_network(config, program.image, program.masks, program.golden, memory)
        turn.counts["networks predicted"] += 1
        if model != run.counters:
            found.append((index, f"counters {run.counters}, predicted {model}"))
    return found


def programs(turn: Turn, rng: random.Random, only: int | None) -> None:
    """Each in a simulation of its own."""
    cases = list(draw_cases(_config(rng), rng.randrange(1 << 31), CASES))
    for index in range(CASES) if only is None else [only]:
        case = cases[index]
        turn.counts["programs"] += 1
        try:
            result = Result(describe(case), predict(case), measure(case, "verilator"))
        except (UserError, SimulationError) as error:
            turn.problems.append(Problem(str(error), only=index))
            continue
        turn.counts["cycles"] += result.rtl["cycles"]
        if not result.passed:
            turn.problems.append(Problem(f"{result.case}: {result.off}", only=index))


def damage(turn: Turn, rng: random.Random, only: int | None) -> None:
    """A batch on Verilator; what fails is repeated by `make fuzz`, too."""
    seed = rng.randrange(1 << 31)
    numbers = range(BATCHES["verilator"]) if only is None else [only]
    for outcome in run_cases([draw_case(seed, number) for number in numbers], "verilator"):
        turn.counts["damaged programs"] += 1
        if outcome.problem:
            what = f"fuzz --seed {seed} --case {outcome.number}: {outcome.problem}"
            turn.problems.append(Problem(what, only=outcome.number))


KINDS: Mapping[str, Callable[[Turn, random.Random, int | None], None]] = {
    "units": units,
    "networks": networks,
    "programs": programs,
    "damage": damage,
}


def take(kind: str, seed: int, number: int, only: int | None = None) -> Turn:
    """A turn, or the case `only` of it."""
    turn = Turn(kind, number)
    KINDS[kind](turn, random.Random(f"{seed} {kind} {number}"), only)
    return turn


def _config(rng: random.Random) -> AcceleratorConfig:
    return rng.choice(draw_configs(rng.randrange(1 << 31), 4))
