"""Decides a proof: Amaranth -> Yosys -> an and-inverter graph (AIGER) -> ABC.

A claim for all cycles is decided by property directed reachability (Bradley, "SAT-based model
checking without unrolling", VMCAI 2011; Een et al., FMCAD 2011), which finds the inductive
invariant by itself; one for a number of cycles by bounded model checking (Biere et al., TACAS
1999).

Registers have no value at power-up save the one that makes the first cycle a reset: what a reset
does not reach, such as data and memories, is arbitrary.
"""

import importlib.util
import json
import re
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Fragment

from proofs.harness import STARTED, Harness
from proofs.proof import Proof, Verdict
from rtl_gen.emit.yosys import run_yosys
from rtl_gen.extras import require

DEFAULT_SECONDS = 300

_PASSES = (
    "read_rtlil design.il",
    "hierarchy -check -top top",
    "proc",
    "flatten",
    "select -assert-none t:$print",
    "write_json messages.json",
    "memory_map",
    "opt_expr",
    f"setattr -unset init w:* w:{STARTED} %d",
    "async2sync",
    "chformal -lower",
    "opt_clean",
    "setundef -anyseq",
    "formalff -setundef -clk2ff -ff2anyinit",
    "techmap",
    "opt_expr",
    "simplemap",
    "aigmap",
    "opt_clean",
    # Sorts the cells, so that the graph's properties come in the order of this file.
    "write_json cells.json",
    "write_aiger -I -B -zinit -no-startoffset -map design.aim design.aig",
)


def decide(proof: Proof, *, seconds: int = DEFAULT_SECONDS) -> Verdict:
    """Whether the claim holds; None if the solver has no answer after so many `seconds` of a core.

    Raises RuntimeError with the log of Yosys or ABC if that fails.
    """
    begin = _children_seconds()
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        messages = write_graph(proof.harness(), folder)
        log = _run_abc(folder, proof, seconds)
        failed = re.search(r"Output (\d+) .*was asserted in frame", log or "")
        return Verdict(
            holds=False if failed else _proved(proof, log),
            seconds=_children_seconds() - begin,
            broken=messages[int(failed[1])] if failed else "",
            cycles=_counterexample(folder) if failed else [],
        )


def _children_seconds() -> float:
    """Seconds of a core that Yosys and ABC have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_graph(harness: Harness, folder: Path) -> list[str]:
    """design.aig and its map in `folder`; the messages of its properties."""
    # The inputs are known when the harness is elaborated.
    fragment = Fragment.get(harness, None)
    ports = [harness.clk, *harness.inputs]
    text = rtlil.convert(fragment, name="top", ports=ports, emit_src=False)
    (folder / "design.il").write_text(text)
    run_yosys(type(harness).__name__, _PASSES, folder)
    checks = _cells(folder / "messages.json", "$check")
    properties = _cells(folder / "cells.json", "$assert")
    return [_message(checks[name]) for name in properties]


def _cells(path: Path, kind: str) -> dict[str, dict]:
    cells = json.loads(path.read_text())["modules"]["top"]["cells"]
    return {name: cell for name, cell in cells.items() if cell["type"] == kind}


def _message(check: dict) -> str:
    text = check["parameters"]["FORMAT"].strip()
    return text.replace("{{", "{").replace("}}", "}") or "a property"


def _frames(proof: Proof) -> int:
    """A cycle of reset comes first, one in which the last assertions are seen comes last."""
    return proof.depth + 2


def _proved(proof: Proof, log: str | None) -> bool | None:
    """True, or None if the solver had not enough time.

    Raises RuntimeError if it says something else.
    """
    if log is None:
        return None
    if proof.depth is None:
        proved = "Property proved" in log
    else:
        # All frames: it says the same of those that it came to.
        frames = re.search(r"No output (?:asserted|failed) in (\d+) frames", log)
        proved = frames is not None and int(frames[1]) == _frames(proof)
    if not proved:
        raise RuntimeError(f"ABC failed on {proof.identity}:\n{log[-2000:]}")
    return True


def _run_abc(folder: Path, proof: Proof, seconds: int) -> str | None:
    """The log; None if the `seconds` of a core are over."""
    if proof.depth is not None:
        return _search(folder, f"bmc3 -F {_frames(proof)}", seconds)
    # Registers that are equal are one, as a rule; where that leaves none, there is no search.
    log = _search(folder, "scorr; pdr", seconds)
    return _search(folder, "pdr", seconds) if log and "UNDECIDED" in log else log


def _search(folder: Path, commands: str, seconds: int) -> str | None:
    script = f"read_aiger design.aig; fold; strash; {commands}; write_cex -a design.cex"
    done = subprocess.run(
        [_abc(), "-c", script],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)),
    )
    return None if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL) else done.stdout


def _abc() -> Path:
    require("pyosys")
    return Path(importlib.util.find_spec("pyosys").origin).with_name("yosys-abc")


def _counterexample(folder: Path) -> list[dict[str, int]]:
    """Values of the inputs in every cycle."""
    lines = (folder / "design.cex").read_text().split()
    bits: dict[int, tuple[str, int]] = {}
    for line in (folder / "design.aim").read_text().splitlines():
        kind, *rest = line.split()
        if kind == "input":
            bits[int(rest[0])] = (rest[2], int(rest[1]))
    cycles = []
    for line in lines:
        if not re.fullmatch("[01x]+", line) or len(line) <= max(bits):
            continue
        values: dict[str, int] = {}
        for place, (name, bit) in bits.items():
            values[name] = values.get(name, 0) | (line[place] == "1") << bit
        cycles.append(values)
    return cycles
