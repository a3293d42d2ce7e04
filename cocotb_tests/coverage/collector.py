"""Counts what every simulation covers, while the tests run (`pytest --coverage`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

from cocotb_tests.coverage.counts import Counts
from cocotb_tests.coverage.probes import SOURCES, emit_with_probes
from cocotb_tests.harness.runner import BINS_FILE
from rtl_gen.emit.verilog import Design

COVERS_FILE = "coverage.dat"
"""What Verilator leaves where it runs."""


@dataclass(frozen=True)
class Collector:
    """What `cocotb_tests.harness.runner` asks, if it has one."""

    folder: Path
    """Gets the counts."""
    sources: Path = SOURCES
    """Folder of the sources that count."""

    def emit(self, component: wiring.Component, name: str) -> Design:
        """The design to be simulated, with probes."""
        return emit_with_probes(component, name, self.sources)

    @contextmanager
    def counting(self, source: Path, run_dir: Path) -> Iterator[None]:
        """Add what the run of the Verilog `source` in the block covers, however it ends."""
        covers, bins = run_dir / COVERS_FILE, run_dir / BINS_FILE
        for stale in (covers, bins):
            stale.unlink(missing_ok=True)
        try:
            yield
        finally:
            Counts.of_run(source, covers, bins).add_to(self.folder, source.parent.name)
