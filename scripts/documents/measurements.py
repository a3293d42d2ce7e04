"""Measurements that documents show: CSV files in `docs/results/`, taken from what commands wrote.

A measurement that was repeated replaces the row of the same key; all others stay.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from model.files.csv_file import write_csv
from rtl_gen.synthesis.asic import AsicFlow
from rtl_gen.synthesis.ecp5 import ECP5

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "results"
BUILD = ROOT / "build"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Rows of `docs/results/<name>.csv`."""

    name: str
    command: str
    """What measures it."""
    written: str
    """Where the command writes, a pattern below `build/`."""
    key: Sequence[str]
    """Columns that tell one row from the others."""
    columns: Sequence[str]
    """All of them, with the key."""
    read: Callable[[Path], pd.DataFrame] = pd.read_csv
    """Rows of one written file."""

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.csv"

    def rows(self) -> pd.DataFrame:
        """What is known."""
        return pd.read_csv(self.path)

    def take(self) -> int:
        """Take what lies in `build/`; returns how many rows are new or replaced."""
        files = sorted(BUILD.glob(self.written))
        if not files:
            return 0
        found = pd.concat([self.read(file) for file in files]).reindex(columns=self.columns)
        found = found.round(6)  # as the file has them: keys are compared with it
        known = self.rows() if self.path.exists() else found[:0]
        merged = pd.concat([known, found]).drop_duplicates(self.key, keep="last")
        write_csv(self.path, merged.convert_dtypes())  # whole numbers stay whole beside empty cells
        return len(found)


def _run(path: Path) -> pd.DataFrame:
    """Of a whole network in RTL."""
    run = json.loads(path.read_text())
    run["network"] = Path(run["network"]).name
    return pd.DataFrame([{name: value for name, value in run.items() if name in _RUN_COLUMNS}])


def _accuracy(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).assign(model=path.stem)


def _calibration(path: Path) -> pd.DataFrame:
    report = json.loads(path.read_text())
    kinds = ("fixed_memory", "random_stall")
    which = {"seed": report["seed"], "cores": report["cores"]}
    return pd.DataFrame([which | {"memory": kind} | report[kind] for kind in kinds])


def _demo(path: Path) -> pd.DataFrame:
    presets = json.loads(path.read_text())["presets"]
    return pd.DataFrame([{"preset": preset} | run for preset, run in presets.items()])


def _bench(path: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads(path.read_text())["rtl"])


def _synthesis(path: Path) -> pd.DataFrame:
    """Units with their cells, and where they were timed with that."""
    found = json.loads(path.read_text())
    units = {
        name: counts | found["units_timed"].get(name, {}) for name, counts in found["units"].items()
    }
    frame = pd.DataFrame.from_dict(units, orient="index").rename_axis("unit").reset_index()
    options = {name: found["options"].get(name) for name in ("target_mhz", "memory_ns")}
    return frame.assign(preset=found["preset"], device=found["device"], **options)


_RUN_KEY = ("model", "network", "sparsity", "strategy", "prune", "config", "cores", "rate")
_RUN_COLUMNS = (
    *_RUN_KEY,
    "cycles",
    "cycles_model",
    "mac_bound_cycles",
    "ratio",
    "compared",
    "mismatches",
    "axi_read_bytes",
    "wall_seconds",
)
_SWEEP_KEY = ("network", "attention_maps", "sparsity", "pruning", "hardware")
_BALANCE_KEY = ("network", "masks", "sparsity", "pruning", "hardware")
_CORES_KEY = ("network", "sparsity", "pruning", "cores", "memory_rate")
_ACCURACY_KEY = ("model", "data", "masks", "sparsity", "pruned", "arithmetic")
CELLS, GATES = ECP5.headings, AsicFlow.headings
"""Columns of the syntheses and what they are called."""

MEASUREMENTS = {
    one.name: one
    for one in (
        Measurement(
            name="sweep",
            command="make sweep",
            written="sweep*/*.csv",
            key=_SWEEP_KEY,
            columns=(
                *_SWEEP_KEY,
                "total_cycles",
                "milliseconds",
                "attention_utilisation",
                "energy_total_uj",
                "speedup_over_sparse",
            ),
        ),
        Measurement(
            name="balance",
            command="make sweep SPEC=sim_models/sweeps/examples/balanced_rows.yaml "
            "OUT=build/balance",
            written="balance/*.csv",
            key=_BALANCE_KEY,
            columns=(*_BALANCE_KEY, "total_cycles", "attention_cycles", "attention_utilisation"),
        ),
        Measurement(
            name="cores",
            command="make sweep SPEC=sim_models/sweeps/examples/cores.yaml OUT=build/cores, and of "
            "cores_of_384_pixels.yaml",
            written="cores/*.csv",
            key=_CORES_KEY,
            columns=(
                *_CORES_KEY,
                "total_cycles",
                "array_utilisation",
                "images_per_second",
                "axi_read_bytes",
                "on_chip_kb",
                "energy_total_uj",
            ),
        ),
        Measurement(
            name="breakdown",
            command="make figures FIGURE=breakdown",
            written="figures/breakdown.csv",
            key=("network", "variant", "operation"),
            columns=(
                "network",
                "variant",
                "operation",
                "flops",
                "flops_share",
                "cycles",
                "cycles_share",
                "milliseconds",
            ),
        ),
        Measurement(
            name="rtl_runs",
            command="make deit",
            written="deit/*.json",
            key=_RUN_KEY,
            columns=_RUN_COLUMNS,
            read=_run,
        ),
        Measurement(
            name="accuracy",
            command="make accuracy",
            written="accuracy/*.csv",
            key=_ACCURACY_KEY,
            columns=(
                *_ACCURACY_KEY,
                "images",
                "drop",
                "drop_standard_error",
                "against_float",
                "against_float_standard_error",
            ),
            read=_accuracy,
        ),
        Measurement(
            name="calibration",
            command="make calibrate",
            written="calibration/report.json",
            key=("seed", "cores", "memory"),
            columns=(
                "seed",
                "cores",
                "memory",
                "cases",
                "cycles_rtl",
                "cycles_model",
                "largest_relative_error",
            ),
            read=_calibration,
        ),
        Measurement(
            name="demo",
            command="make demo",
            written="demo/demo.json",
            key=("preset",),
            columns=(
                "preset",
                "macs",
                "compared",
                "mismatches",
                "cycles_rtl",
                "cycles_model",
                "attention_utilisation",
            ),
            read=_demo,
        ),
        Measurement(
            name="bench",
            command="make bench",
            written="bench/bench.json",
            key=("run",),
            columns=("run", "cycles", "rtl_seconds", "model_seconds", "times_faster"),
            read=_bench,
        ),
        Measurement(
            name="synthesis",
            command="make synth",
            written="synth/ecp5/*/synth.json",
            key=("preset", "unit"),
            columns=("preset", "unit", *CELLS),
            read=_synthesis,
        ),
        Measurement(
            name="asic",
            command="make asic",
            written="asic/**/synth.json",
            key=("device", "preset", "unit"),
            columns=(
                "device",
                "preset",
                "unit",
                "target_mhz",
                "memory_ns",
                *GATES,
                "frequency_mhz",
                "logic_levels",
                "from_register",
                "to_register",
            ),
            read=_synthesis,
        ),
    )
}
"""By name."""
