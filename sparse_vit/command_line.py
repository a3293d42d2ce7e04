"""The command `sparse-vit`: its sub-commands by name, each loaded when it is called.

Listing them, `--version` and completion of their names import none of them, so that nobody waits
for PyTorch to be told what there is.
"""

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from rtl_gen import cli
from sparse_vit import __version__
from sparse_vit.lazy_command import LazyCommand

NAME = "sparse-vit"

COMMANDS: dict[str, dict[str, str]] = {
    "Attention, masks and pruning": {
        "attention-maps": "model.commands.attention:attention_maps",
        "masks": "model.commands.attention:masks",
        "inspect-mask": "model.commands.attention:inspect_mask",
        "polarise": "model.commands.attention:polarise_command",
        "learn-scores": "model.commands.scores:learn_scores_command",
        "schedule": "model.commands.attention:schedule",
        "prune": "model.commands.importance:importance_command",
        "search-schedule": "sim_models.schedule_search.command:search_schedule",
        "synthetic-maps": "model.commands.synthetic:synthetic_maps_command",
        "synthetic-qkv": "model.commands.synthetic:synthetic_qkv_command",
    },
    "Networks": {
        "networks": "sim_models.networks_page:networks",
        "accuracy": "model.commands.accuracy:accuracy",
        "finetune": "model.commands.finetune:finetune",
        "quantise": "model.commands.integers:quantise_command",
        "integer-accuracy": "model.commands.integers:integer_accuracy",
        "integer-loss": "model.commands.integer_loss:integer_loss",
        "digits": "model.commands.digits:digits_command",
        "train-small": "model.commands.digits:train_small",
    },
    "Cycles": {
        "simulate": "sparse_vit.commands.simulate:simulate",
        "sweep": "sim_models.sweeps.command:sweep",
        "choose": "sim_models.choose.command:choose",
        "figures": "sim_models.figures.command:figures",
        "report": "sim_models.report.command:report",
        "compare-vitcod": "sim_models.compare_command:compare_vitcod",
        "bench": "sparse_vit.commands.bench:bench",
    },
    "Hardware": {
        "presets": "rtl_gen.commands.presets:presets",
        "rtl": "sparse_vit.commands.rtl:rtl",
        "lint-rtl": "rtl_gen.commands.lint:lint_rtl",
        "image": "model.commands.integers:image_command",
        "wipe": "model.commands.wipe:wipe_command",
        "run": "sparse_vit.commands.run:run",
        "soc": "sparse_vit.commands.soc:soc",
        "calibrate": "sparse_vit.commands.calibrate:calibrate",
        "synth": "rtl_gen.commands.synth:synth",
        "asic": "rtl_gen.commands.asic:asic",
        "measure-area": "rtl_gen.commands.measure_area:measure_area",
        "prove": "proofs.command:prove",
    },
    "Everything": {
        "demo": "sparse_vit.commands.demo:demo",
        "fuzz": "cocotb_tests.fuzz.command:fuzz",
        "mutate": "cocotb_tests.mutants.command:mutate",
        "coverage": "cocotb_tests.coverage.command:coverage",
        "soak": "sparse_vit.commands.soak:soak",
        "faults": "cocotb_tests.faults.command:faults",
    },
}
"""Where each sub-command's function is, by panel of the help and by name."""


class Commands(TyperGroup):
    """All of COMMANDS."""

    def __init__(self, **options):
        super().__init__(**options)
        for panel, commands in COMMANDS.items():
            for name, place in commands.items():
                self.add_command(LazyCommand(name, place, panel))


app = typer.Typer(cls=Commands)


def _show_version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        print(NAME, __version__)
        raise typer.Exit


@app.callback()
def sparse_vit(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Pruned, sparse Vision Transformers on an accelerator: from masks to Verilog."""
    del version


def main(*words: str) -> None:
    """Run a command line, by default the program's own, and exit as `cli.run` says.

    An empty one asks for help.
    """
    cli.run(app, NAME, words or sys.argv[1:] or ["--help"])
