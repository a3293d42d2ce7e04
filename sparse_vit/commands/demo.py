"""The demonstration: digits and layers of DeiT in RTL, and a sweep over DeiT models.

1. Verilog of the default preset.
2. Held-back handwritten digits through a whole trained network, 80 % sparse and pruned, on the
   preset `small`: from pixels to classes, beside the golden model.
3. Two consecutive layers of DeiT-Tiny (197 tokens, 3 heads, masks of 80 % sparsity from the
   averaged attention maps, pruning after each) on Verilator, for several array sizes: every output
   is compared with the golden model, every counter with the cycle model's prediction.
4. The sweep over DeiT-Tiny, Small and Base.

Results: tables and `demo.json`.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cocotb_tests.network.check import compare, layer_pairs
from cocotb_tests.network.run import MemoryModel, run_image
from model.integer.attention_layers import run_layers
from model.network.names import DEIT_TINY
from model.program.attention_layers import compile_layers
from model.pruning.schedule_file import DEFAULT_NAME
from model.quantisation.sample_layers import sample_layers
from rtl_gen import cli
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.json_file import write_json
from rtl_gen.presets import get_config
from sim_models.memory import MemoryTiming
from sim_models.predict import predict_layers
from sim_models.sweeps.command import standard_sweep
from sim_models.sweeps.spec import STANDARD
from sparse_vit import digits
from sparse_vit.commands.rtl import rtl

PRESETS = ("default", "half", "double")
SPARSITY = 0.8
DIGITS = range(6)
"""Of the held-back ones."""

console = Console()


def demo(
    *,
    seed: Annotated[
        int, typer.Option(min=0, max=cli.LARGEST_SEED, help="Of Q, K, V and the synthetic maps.")
    ] = 0,
    out: Annotated[Path, typer.Option(help="Folder of demo.json.")] = Path("build/demo"),
) -> dict[str, Any]:
    """RTL, co-simulation of a small network and of two real layers on Verilator, and the sweep."""
    check_writable(out / "demo.json")
    rtl("default")
    console.print(f"{digits.PRESET}: building and running {digits.VIT_DIGITS.name} on Verilator")
    classified = digits.classify(DIGITS, sparsity=SPARSITY)
    console.print(digits.table(classified))
    layers = sample_layers(sparsity=SPARSITY, seed=seed)
    traces = run_layers(DEIT_TINY.tokens, layers)
    timing = MemoryTiming()
    memory = MemoryModel(latency=timing.latency)
    runs = {}
    for preset in PRESETS:
        config = get_config(preset)
        image = compile_layers(config, DEIT_TINY.tokens, layers)
        predicted = predict_layers(config, image, layers, traces, timing)
        console.print(f"{preset}: {config.macs} MACs, building and running on Verilator")
        run = run_image(config, image, simulator="verilator", memory=memory, seed=seed + 1)
        if run.error != ErrorCode.NONE:
            raise UserError(f"{preset}: the accelerator stopped with error {run.error.name}")
        comparison = compare(layer_pairs(image, layers, traces, run))
        beats = run.counters["qk_beats"] + run.counters["pv_beats"]
        useful = _useful_macs(layers, traces)
        runs[preset] = {
            "macs": config.macs,
            "compared": comparison.compared,
            "mismatches": comparison.mismatches,
            "cycles_rtl": run.counters["cycles"],
            "cycles_model": predicted["cycles"],
            "counters_rtl": run.counters,
            "counters_model": predicted,
            "attention_utilisation": useful / (config.macs * run.counters["attention_cycles"]),
            "beat_utilisation": useful / (config.macs * beats),
        }
    result = standard_sweep(STANDARD.model_copy(update={"seeds": [seed]}))
    summary: dict[str, Any] = {
        "mismatches": sum(run["mismatches"] for run in runs.values()),
        "cycles_rtl": runs["default"]["cycles_rtl"],
        "cycles_model": runs["default"]["cycles_model"],
        "mean_speedup": result.mean_speedups()[DEFAULT_NAME],
        "survivors": [int(trace.survivors.sum()) for trace in traces],
        "sparsity": SPARSITY,
        "seed": seed,
        "presets": runs,
        "digits": [dataclasses.asdict(run) for run in classified],
    }
    _show(summary)
    write_json(out / "demo.json", summary)
    console.print(str(out / "demo.json"))
    wrong = [name for name, run in runs.items() if run["counters_rtl"] != run["counters_model"]]
    wrong += [f"digit {run.number}" for run in classified if run.counters != run.predicted]
    mismatches = summary["mismatches"] + sum(run.comparison.mismatches for run in classified)
    if mismatches or wrong:
        raise UserError(
            f"{mismatches} values differ from the golden model; counters differ from "
            f"the cycle model for {', '.join(wrong) or 'no run'}"
        )
    return summary


def _useful_macs(layers, traces) -> int:
    """Multiply-accumulates of kept entries in QK^T and PV."""
    return sum(
        2 * layer.head_dim * int(trace.kept_entries(layer.mask).sum())
        for layer, trace in zip(layers, traces, strict=True)
    )


def _show(summary: dict) -> None:
    table = Table(title="DeiT-Tiny layers 3 and 4, 80 % sparse, pruned, in RTL")
    columns = ("preset", "MACs", "values", "mismatches", "cycles RTL", "model", "attention busy")
    for column in columns:
        table.add_column(column, justify="left" if column == "preset" else "right")
    for name, run in summary["presets"].items():
        table.add_row(
            name,
            *(f"{run[key]:,}" for key in ("macs", "compared", "mismatches")),
            *(f"{run[key]:,}" for key in ("cycles_rtl", "cycles_model")),
            f"{run['attention_utilisation']:.1%}",
        )
    console.print(table)
    console.print(f"mean speed-up of pruning over the sweep: {summary['mean_speedup']:.3f}x")
