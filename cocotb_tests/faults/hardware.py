"""Flips in simulation, batches of them."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.faults.flips import Flip, Places
from cocotb_tests.faults.report import Outcome
from cocotb_tests.faults.workload import MEMORY, make_workload
from cocotb_tests.harness.runner import simulate
from cocotb_tests.network.system import System
from rtl_gen.config import AcceleratorConfig
from rtl_gen.emit.verilog import Design, emit

MEMORY_BYTES = 1 << 16
SLOWER = 3
"""A program that takes so many times as long counts as hanging."""

_CONTRACTS = re.compile(r"^`ifndef SYNTHESIS\n.*?^`endif\n", re.M | re.S)


class Campaign:
    """A configuration under a workload."""

    def __init__(self, config: AcceleratorConfig):
        self.config, self.workload = config, make_workload(config)
        self._design = _unwatched(config)
        self.places = Places(self._design, self.workload)

    def run(self, flips: Sequence[Flip], simulator: str) -> list[Outcome]:
        """One behind the other in one simulation, each behind a reset.

        Raises RuntimeError if a run without a flip is wrong behind them, or takes other cycles than
        the cycle model says.
        """
        work = self.workload
        with tempfile.TemporaryDirectory() as folder:
            images = Path(folder, "images.npz")
            named = {str(n): np.frombuffer(data, np.uint8) for n, data in enumerate(work.data)}
            np.savez(images, **named)
            values = simulate(
                self._design,
                simulator=simulator,
                visible=True,
                bench="cocotb_tests.faults.bench_flips",
                models=[VERILOG],
                parameters={
                    "config": self.config.as_dict(),
                    "images": str(images),
                    "results": {str(n): list(result) for n, result in enumerate(work.results)},
                    "flips": [asdict(flip) for flip in flips],
                    "latency": MEMORY.latency,
                    "limit_cycles": SLOWER * max(work.cycles),
                },
            ).values
        if not values["intact"] or values["cycles"] != work.cycles[0]:
            raise RuntimeError(f"a run without a flip is wrong behind the others: {values}")
        found = zip(flips, values["outcomes"], strict=True)
        return [Outcome(flip, one["ended"], one["code"]) for flip, one in found]


@cache
def _unwatched(config: AcceleratorConfig) -> Design:
    """The system without rules and contracts, at which a simulation would stop."""
    design = emit(System(config, MEMORY_BYTES // config.bus_bytes, rules=False), "system")
    return replace(design, logic=_CONTRACTS.sub("", design.logic))
