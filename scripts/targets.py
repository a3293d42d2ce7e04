"""The targets of `make`: what each does, the commands that it runs, the variables that it takes.

Needs nothing but Python's standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.variables import Setting, Switch, Values, Variable, variables


@dataclass(frozen=True)
class Target:
    """`commands` run one after the other; the last one gets the variables.

    The words `python` and `sparse-vit` in front of a command are those of .venv.
    """

    does: str
    commands: tuple[str, ...] = ()
    variables: Mapping[str, Variable] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Values of variables that the command gets if nobody gives others."""


_BATCH = Variable(example="16", option="--batch-size")
_SIM = Variable(example="verilator|icarus", option="--simulator")
_WAVES = Setting()
_TEST_WAVES = Setting(option="-rP")
_SCHEDULE = "name|file"
_PYTEST = "python -m pytest --dist worksteal"
_WORKERS = Variable(example="2", option="-n")
_LAYERS = "python -c 'from importlinter.cli import lint_imports_command as lint; lint()'"
_LINT = (
    "python -m ruff check .",
    "python -m ruff format --check .",
    f"{_LAYERS} --no-logo --cache-dir=build/import-linter",
    "python -m mypy",
)

_MASKS = variables(
    MODEL="deit_tiny", SPARSITY="0.8", STRATEGY="learned", MASKS="file", SCHEDULE=_SCHEDULE
)
_WHOLE_NETWORK = _MASKS | variables(
    PRUNE=Switch(),
    NETWORK="file",
    CONFIG="default",
    DUMP=Switch(),
    SEED="0",
    OUT="folder",
)
_FIGURES = variables(
    CONFIG="default",
    MODEL="deit_tiny",
    COMPARE=Values(example="deit_small deit_base"),
    LATENCY="100",
    RATE="64",
    SEED="0",
)

TARGETS: dict[str, Target] = {
    "demo": Target(
        "RTL, co-simulation of digits and of DeiT layers on Verilator, and the sweep",
        ("sparse-vit demo",),
        variables(SEED="0", OUT="folder", WAVES=_WAVES),
    ),
    "test": Target(
        "linter, formatter, layers and types check and the tests, on both simulators",
        (*_LINT, _PYTEST),
        variables(WORKERS=_WORKERS, WAVES=_TEST_WAVES),
        {"WORKERS": "2"},
    ),
    "lint": Target("linter, formatter, layers and types check", _LINT),
    "format": Target(
        "apply the formatter and the linter's safe fixes",
        ("python -m ruff format .", "python -m ruff check --fix ."),
    ),
    "rtl": Target(
        "a folder that a flow can take: Verilog, registers, driver, testbench, manifest",
        ("sparse-vit rtl",),
        variables(CONFIG="default", SET=Values(example="name=value"), OUT="folder"),
    ),
    "lint-rtl": Target(
        "what five linters say of the Verilog",
        ("sparse-vit lint-rtl",),
        variables(CONFIG="small", SET=Values(example="name=value"), OUT="folder"),
    ),
    "synth": Target(
        "cells and clock frequency on an ECP5, cells on an UltraScale+",
        ("sparse-vit synth",),
        variables(
            CONFIG="small",
            SET=Values(example="name=value"),
            FLOW="ecp5|xilinx",
            PART="zu9eg",
            UNIT="attention.softmax",
            PLACE=Switch(),
            EACH=Switch(),
            TARGET_MHZ="100",
            SPEED_GRADE="8",
            SEED="1",
            OUT="folder",
        ),
    ),
    "area-data": Target(
        "cells of the configurations that the model of the area is fitted on (hours)",
        ("sparse-vit measure-area",),
        variables(OUT="file"),
    ),
    "prove": Target(
        "properties of the units for all inputs",
        ("sparse-vit prove",),
        variables(UNIT="mask_decoder", SECONDS="300", OUT="folder"),
    ),
    "asic": Target(
        "area and clock frequency in standard cells",
        ("sparse-vit asic",),
        variables(
            CONFIG="small",
            SET=Values(example="name=value"),
            LIBERTY=Values(example="file.lib.gz"),
            UNIT="attention.softmax",
            TARGET_MHZ="200",
            MEMORY_NS="2",
            OUT="folder",
        ),
    ),
    "regression": Target(
        "the tests, long ones as well, or a part of them",
        (f"{_PYTEST} --long",),
        variables(
            SIM=Variable(example="verilator|icarus"),
            CONFIG=Variable(example="tiny", option="--preset"),
            CORES="4",
            TEST=Variable(example="softmax", option="-k"),
            WAVES=_TEST_WAVES,
            WORKERS=_WORKERS,
        ),
        {"WORKERS": "2"},
    ),
    "sweep": Target(
        "cycles, traffic and energy of a grid",
        ("sparse-vit sweep",),
        variables(
            SPEC=Variable(example="file.yaml", option=""),
            CONFIG="default",
            LATENCY="100",
            RATE="64",
            SEED="0",
            ENERGY="file.yaml",
            SCHEDULER="tcp://...",
            POINTS_LIMIT="10000",
            PROCESSES="2",
            OUT="folder",
        ),
    ),
    "choose": Target(
        "configuration of at most a part's resources that runs a network fastest",
        ("sparse-vit choose",),
        _MASKS
        | variables(
            PART="zu9eg",
            SHARE="0.8",
            FREQUENCY_MHZ="200",
            TOP="10",
            PRUNE=Switch(),
            MAPS="file",
            SCORES="file",
            LATENCY="100",
            RATE="64",
            SEED="0",
            OUT="file",
        ),
    ),
    "calibrate": Target(
        "error of the cycle model against the RTL",
        ("sparse-vit calibrate",),
        variables(
            SEED="1",
            CONFIGS="4",
            CASES="18",
            CORES="4",
            DEIT=Switch(),
            QUICK=Switch(),
            SIM=_SIM,
            WORKERS="2",
            OUT="folder",
            WAVES=_WAVES,
        ),
    ),
    "fuzz": Target(
        "damaged programs in RTL, damaged files and arguments of the commands",
        ("sparse-vit fuzz",),
        variables(
            SEED="0",
            DURATION=Variable(example="600", option="--seconds"),
            CASE="number",
            BEFORE="number",
            TARGET="name",
            ROUND="number",
            OUT="folder",
        ),
    ),
    "gates": Target(
        "co-simulations of netlists, mapped for an ECP5 or an UltraScale+, on Icarus",
        (f"{_PYTEST} cocotb_tests --sim=icarus",),
        variables(
            FLOW=Variable(example="ecp5|xilinx", option="--gates"),
            CONFIG=Variable(example="tiny", option="--preset"),
            TEST=Variable(example="topk", option="-k"),
            LONG=Switch(goes_off=False),
            WORKERS=_WORKERS,
        ),
        {"WORKERS": "2", "FLOW": "ecp5"},
    ),
    "soak": Target(
        "random units, networks and programs in RTL for hours",
        ("sparse-vit soak",),
        variables(
            HOURS="1",
            SEED="0",
            KIND="networks",
            TURN="number",
            ONLY="number",
            WORKERS="2",
            OUT="folder",
        ),
    ),
    "mutate": Target(
        "operators, constants and statements changed one by one, and what no test notices",
        ("sparse-vit mutate",),
        variables(
            UNIT="topk",
            COUNT="20",
            SEED="0",
            REACHING=Switch(goes_off=False),
            LONG=Switch(goes_off=False),
            WORKERS="1",
            JUDGED="file",
            OUT="folder",
        ),
    ),
    "coverage": Target(
        "lines and branches of the hardware and kinds of program that the co-simulations reach",
        ("sparse-vit coverage",),
        variables(UNIT="pruning", WORKERS="2", OUT="folder"),
    ),
    "faults": Target(
        "bits of bus data, memories and registers flipped, and what becomes of the results",
        ("sparse-vit faults",),
        variables(COUNT="40", SEED="0", FLIP="number", CONFIG="tiny", SIM=_SIM, OUT="folder"),
    ),
    "bench": Target(
        "seconds of the cycle model beside those of the RTL simulation",
        ("sparse-vit bench",),
        variables(RUNS="folder", OUT="file"),
    ),
    "deit": Target(
        "a whole network in RTL, a picture or many",
        ("sparse-vit run",),
        _WHOLE_NETWORK
        | variables(
            WEIGHTS="file",
            PREPROCESSING="vit_tiny_patch16_224",
            CALIB="folder",
            IMAGE="file",
            IMAGES=Variable(example="folder", option="--pictures"),
            CORES="4",
            SIM=_SIM,
            LATENCY="100",
            RATE="64",
            FIRST_DIVERGENCE=Switch(goes_off=False),
            WAVES=_WAVES,
        ),
    ),
    "soc": Target(
        "a digit on a system on chip, whose RISC-V processor drives the accelerator, in simulation",
        ("sparse-vit soc",),
        variables(DIGIT="0", SPARSITY="0.8", LATENCY="100", SEED="0", OUT="folder"),
    ),
    "wipe": Target(
        "the program that overwrites what earlier ones left on the chip",
        ("sparse-vit wipe",),
        variables(CONFIG="default", OUT="folder"),
    ),
    "image": Target("memory image and map of a network", ("sparse-vit image",), _WHOLE_NETWORK),
    "accuracy": Target(
        "drops against the dense network",
        ("sparse-vit accuracy",),
        _MASKS
        | variables(
            SPARSITY=Values(example="0.5 0.8"),
            WEIGHTS="file",
            PREPROCESSING="vit_tiny_patch16_224",
            DATA=Values(example="folders"),
            LABELS="file",
            LIMIT="100",
            CALIB="folder",
            CALIB_LIMIT="250",
            MAPS="file",
            SCORES="file",
            FINETUNED=Values(example="folders"),
            INTEGER=Switch(),
            NETWORK="file",
            BATCH=_BATCH,
            SEED="0",
            OUT="folder",
        ),
    ),
    "search-schedule": Target(
        "pruning schedule of fewest cycles",
        ("sparse-vit search-schedule",),
        {name: one for name, one in _MASKS.items() if name != "SCHEDULE"}
        | variables(
            SPARSITY="0",
            WEIGHTS="file",
            PREPROCESSING="vit_tiny_patch16_224",
            DATA="folder",
            LIMIT="64",
            HELD_BACK="128",
            MAPS="file",
            SCORES="file",
            NEAR=_SCHEDULE,
            LOSS="nats",
            CONFIG="default",
            BATCH=_BATCH,
            SEED="0",
            OUT="folder",
        ),
    ),
    "figures": Target(
        "breakdown, speed-up, Pareto front, scaling by cores, and timeline",
        ("sparse-vit figures",),
        _FIGURES | variables(FIGURE=Values(example="timeline", option=""), OUT="folder"),
    ),
    "report": Target(
        "page of all figures, tables and RTL runs",
        ("sparse-vit report",),
        _FIGURES | variables(RUNS="folder", CALIBRATION="file", OUT="file"),
    ),
    "docs": Target(
        "the documents as a site in build/docs/", ("python -m scripts.documents.build",)
    ),
    "results": Target(
        "take new measurements from build/ into docs/results/, write the documents' tables anew",
        ("python -m scripts.documents.results",),
    ),
    "train-small": Target(
        "train vit_digits on handwritten digits",
        ("sparse-vit train-small",),
        variables(EPOCHS="100", SEED="0", OUT="folder"),
    ),
    "finetune": Target(
        "recover accuracy with masks and pruning",
        ("sparse-vit finetune",),
        _MASKS
        | variables(
            WEIGHTS="file",
            PREPROCESSING="vit_tiny_patch16_224",
            START="file",
            DATA=Values(example="folders"),
            LIMIT="500",
            HOLD_BACK="64",
            EVAL="folder",
            LABELS="file",
            MAPS="file",
            SCORES="file",
            STEPS="300",
            BATCH=_BATCH,
            LEARNING_RATE="5e-05",
            WEIGHT_DECAY="0",
            PRUNE_SHARE="0.75",
            HIDDEN_WEIGHT="10",
            AVERAGE_DECAY="0.99",
            AUGMENTATION="full|crop",
            BF16=Switch(),
            SEED="0",
            DEVICE="cuda",
            WORKERS="0",
            THREADS="1",
            CHECKPOINT_EVERY="50",
            FRESH=Switch(goes_off=False),
            OUT="folder",
        ),
    ),
    "venv": Target("create .venv with the pinned packages, install missing system tools"),
    "clean": Target("remove what was built; .venv stays", ("rm -rf build",)),
    "help": Target("list the targets and their variables"),
}

EVERYWHERE = ("PYTHON", "PY", "SHELL")
"""Variables of the Makefile itself, for all targets."""
