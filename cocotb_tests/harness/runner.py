"""Build a component once and run a cocotb bench on it.

`simulate` writes the Verilog under `build/sim/<simulator>/<name>-<digest>/` (`rtl_gen.caches` says
where that is in a read-only tree), where the digest covers the Verilog, the simulator and its
flags: the same design is built once, whoever asks, also from several processes at a time. Every run
has a folder of its own below that.
"""

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from amaranth.lib import wiring
from filelock import FileLock

from cocotb_tests.harness import simulators
from rtl_gen.caches import cache_folder
from rtl_gen.emit.verilog import Design, emit
from rtl_gen.errors import UserError
from rtl_gen.switches import is_on
from rtl_gen.synthesis.gates import gates

if TYPE_CHECKING:
    from cocotb_tests.coverage.collector import Collector

BUILD_ROOT = cache_folder("sim")

LEAST_ROOM = 1 << 20
"""Bytes; with less the disk counts as full."""

RUN_FILE_VARIABLE = "BENCH_RUN_FILE"
"""Environment variable that carries the path of the run's description into the simulator."""

_BENCH_VARIABLES = {
    "COCOTB_REWRITE_ASSERTION_FILES": "bench_*.py",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
"""What keeps a bench from taking longer to start than most take to run: failed assertions show
their values in benches alone, not in all that they import, and no plugin of pytest is loaded."""

CYCLES_FILE = "cycles"
"""Beside the run's description: how many cycles a run with `progress` has done."""

BINS_FILE = "bins.xml"
"""There, too, where coverage is measured: what programs did."""

POLL_SECONDS = 0.5

Progress = Callable[[int], object]
"""Is told how many cycles more a simulation has done."""


class SimulationError(AssertionError):
    """A bench that failed, ran no test, or a simulator that stopped early."""


@dataclass(frozen=True)
class SimulationResult:
    """What one run left behind."""

    tests: int
    """Number of cocotb tests that passed."""
    values: dict[str, Any]
    """What the bench handed to `report`."""
    log: Path
    waves: Path | None


coverage: "Collector | None" = None
"""Counts what Verilator covers (`pytest --coverage`); None: nothing does."""

technology: str | None = None
"""What all designs are mapped to before they are simulated (`pytest --gates`); None: not at all."""


def simulate(
    design: wiring.Component | Design,
    *,
    name: str = "",
    simulator: str,
    bench: str,
    models: Sequence[Path] = (),
    files: Mapping[str, str] | None = None,
    parameters: dict[str, Any] | None = None,
    testcase: str | None = None,
    seed: int = 1,
    optimise: bool = False,
    visible: bool = False,
    progress: Progress | None = None,
) -> SimulationResult:
    """Run the cocotb tests of the module `bench` on `design` and raise if any fails.

    If the environment says WAVES=1, the run writes a waveform.

    Parameters
    ----------
    design : a component, or what `emit` made of one (that takes seconds if it is large: keep it for
        several runs)
    name : of a component: module name and stem of its folders; a Verilog identifier
    simulator : "verilator" or "icarus"
    bench : dotted name of the module that holds the `@cocotb.test` functions
    models : SystemVerilog files of modules that `design` instantiates
    files : texts by name of what the design reads, such as by $readmemh, when it starts
    parameters : JSON-able values that the bench reads with `harness.parameters()`
    testcase : run this cocotb test only
    seed : of cocotb's `random` and of the memories' contents at power-up, which are a netlist's
        own where there is one
    optimise : of Verilator: take twice as long to build and half as long to run, as pays from a
        million cycles on
    visible : of Verilator: the bench reaches every signal, as on Icarus it does anyway
    progress : is told every now and then how many cycles more are done

    Raises
    ------
    SimulationError : a test failed, no test ran, or the simulator stopped (an RTL assertion)
    UserError : the simulator is not installed, the disk is full
    """
    waves = is_on("WAVES", os.environ.get("WAVES", ""))
    counts = coverage is not None and simulator == "verilator"
    runner = simulators.make_runner(simulator, optimise=optimise, coverage=counts)
    if not isinstance(design, Design):
        design = emit_design(design, name)
    if technology:
        design = _as_gates(design, technology)
    name = design.name
    text = "\n".join([design.text, *(path.read_text() for path in models)])
    inputs = [port.name for port in design.ports if port.direction == "input"]
    outputs = [port.name for port in design.ports if port.direction == "output"]
    control = simulators.control_file(name, inputs, outputs, everything=visible)
    build_dir = _build(runner, name, text, control, waves=waves)

    label = f"{bench.rpartition('.')[2]}-{testcase or 'all'}-{seed}"
    run_text = json.dumps(
        {
            "parameters": parameters or {},
            "inputs": inputs,
            "outputs": outputs,
            "tells_cycles": progress is not None,
            "counts_bins": counts,
        },
        sort_keys=True,
    )
    run_digest = hashlib.sha256(run_text.encode()).hexdigest()[:8]
    run_dir = build_dir / "runs" / f"{label}-{run_digest}"
    run_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(run_dir / "lock"), _watched(run_dir / CYCLES_FILE, progress):
        for file, contents in (files or {}).items():
            (run_dir / file).write_text(contents)
        with coverage.counting(build_dir / f"{name}.sv", run_dir) if counts else nullcontext():
            return _run(
                runner, run_dir, name, bench, testcase, seed, waves=waves, run_text=run_text
            )


def emit_design(component: wiring.Component, name: str) -> Design:
    """`emit`, with probes where coverage is measured."""
    return coverage.emit(component, name) if coverage else emit(component, name)


def _as_gates(design: Design, technology: str) -> Design:
    """The accelerator as cells, or, where there is none, all of the design."""
    digest = hashlib.sha256(f"{technology}\n{design.text}".encode()).hexdigest()
    if digest not in _gates:
        instances = design.modules[design.name].instances
        _gates[digest] = gates(design, instances.get("accelerator", design.name), technology)
    return _gates[digest]


_gates: dict[str, Design] = {}


def _build(
    runner: simulators.Verilator | simulators.Icarus,
    name: str,
    text: str,
    control: str,
    *,
    waves: bool,
) -> Path:
    text = simulators.with_random_memories(text)
    identity = f"{text}\n{control}\n{runner.identity}\n{waves}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    build_dir = BUILD_ROOT / runner.NAME / f"{name}-{digest}{'-waves' if waves else ''}"
    build_dir.mkdir(parents=True, exist_ok=True)
    done = build_dir / "built"
    with FileLock(build_dir / "lock"):
        if not done.exists():
            source = build_dir / f"{name}.sv"
            source.write_text(text)
            sources = [source]
            if runner.NAME == "verilator":
                control_path = build_dir / "ports.vlt"
                control_path.write_text(control)
                sources.insert(0, simulators.runner.VerilatorControlFile(control_path))
            log = build_dir / "build.log"
            try:
                runner.build_design(
                    sources=sources,
                    hdl_toplevel=name,
                    build_dir=build_dir,
                    build_args=runner.flags,
                    timescale=simulators.TIMESCALE,
                    waves=waves,
                    always=True,
                    log_file=log,
                )
            except RuntimeError as error:
                _require_room(build_dir)
                raise SimulationError(f"{name}: build failed, see {log}\n{_tail(log)}") from error
            done.touch()
    runner.build_dir = build_dir
    runner.hdl_toplevel = name
    return build_dir


def _run(
    runner: simulators.Verilator | simulators.Icarus,
    run_dir: Path,
    name: str,
    bench: str,
    testcase: str | None,
    seed: int,
    *,
    waves: bool,
    run_text: str,
) -> SimulationResult:
    run_file = run_dir / "run.json"
    values_file = run_dir / "values.json"
    results = run_dir / "results.xml"
    log = run_dir / "sim.log"
    run_file.write_text(run_text)
    for stale in (values_file, results):
        stale.unlink(missing_ok=True)
    wave_file = runner.wave_path(run_dir) if waves else None
    problem = ""
    try:
        runner.test(
            test_module=bench,
            hdl_toplevel=name,
            hdl_toplevel_lang="verilog",
            build_dir=runner.build_dir,
            test_dir=run_dir,
            test_filter=None if testcase is None else rf"\.{re.escape(testcase)}$",
            seed=seed,
            waves=waves,
            **runner.test_options(seed, wave_file),
            results_xml=str(results),
            extra_env={RUN_FILE_VARIABLE: str(run_file), **_BENCH_VARIABLES},
            log_file=log,
        )
    except (RuntimeError, SystemExit) as error:
        problem = f"the simulator stopped: {error}"
    passed, failures = _read_results(results)
    if failures:
        problem = "\n".join(failures)
    elif not problem and not passed:
        problem = "no test ran"
    where = f"log: {log}" + (f"\nwaves: {wave_file}" if wave_file else "")
    if wave_file:
        print(f"waves: {wave_file}")
    if problem:
        _require_room(run_dir)
        raise SimulationError(f"{bench} on {name}: {problem}\n{where}\n{_tail(log)}")
    values = json.loads(values_file.read_text()) if values_file.exists() else {}
    return SimulationResult(tests=passed, values=values, log=log, waves=wave_file)


@contextmanager
def _watched(file: Path, progress: Progress | None) -> Iterator[None]:
    """Tell `progress` of the cycles in `file`, which the simulator writes while the block runs."""
    if progress is None:
        yield
        return
    file.unlink(missing_ok=True)
    ended = threading.Event()
    told = 0

    def tell() -> None:
        nonlocal told
        with suppress(FileNotFoundError, ValueError):  # not there yet, or half written
            done = int(file.read_text())
            progress(done - told)
            told = done

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            tell()
        tell()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _require_room(folder: Path) -> None:
    """Say that the disk is full, if it is: simulators and compilers say all sorts of things."""
    if shutil.disk_usage(folder).free < LEAST_ROOM:
        raise UserError(f"no room for a simulation in {folder}: make some")


def _read_results(results: Path) -> tuple[int, list[str]]:
    """Number of passed tests, and one line for every test that failed."""
    if not results.exists():
        return 0, []
    passed, failures = 0, []
    for case in ElementTree.parse(results).iter("testcase"):
        if case.find("skipped") is not None:
            continue
        problem = case.find("failure")
        problem = case.find("error") if problem is None else problem
        if problem is None:
            passed += 1
        else:
            kind, message = problem.get("type"), problem.get("message")
            failures.append(": ".join(filter(None, [case.get("name"), kind, message])))
    return passed, failures


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
