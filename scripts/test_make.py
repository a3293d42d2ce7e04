"""What make's targets take, what they refuse, and that the commands agree with them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from rtl_gen.errors import UserError
from rtl_gen.switches import is_on
from scripts import bootstrap
from scripts.make_target import command_lines
from scripts.targets import TARGETS
from scripts.variables import Setting, Switch, Values
from sparse_vit.command_line import app

ROOT = Path(__file__).parents[1]

SUB_COMMANDS = {
    name: target.commands[-1].removeprefix("sparse-vit ")
    for name, target in TARGETS.items()
    if target.commands and target.commands[-1].startswith("sparse-vit ")
}
"""Of the targets that are calls of the project's command."""


def make(*words: str, **variables: str) -> subprocess.CompletedProcess:
    """Call make in an environment with these variables, whatever make runs this test."""
    own = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "GIVEN_VARIABLES", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    python = (f"PYTHON={sys.executable}", f"PY={sys.executable}", "-o", ".venv/installed")
    return subprocess.run(
        ["make", "--no-print-directory", *python, *words],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def last_command(name: str, **environment: str) -> list[str]:
    lines, _ = command_lines(TARGETS[name], environment)
    return lines[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["deit", "SPARSIY=0.5"], "make deit takes no variable SPARSIY: did you mean SPARSITY?"),
        (["deit", "sparsity=0.5"], "make deit takes no variable sparsity: did you mean SPARSITY?"),
        (["rtl", "LATENCY=3"], "make rtl takes no variable LATENCY: it takes CONFIG, OUT, SET"),
        (["clean", "OUT=/"], "make clean takes no variable OUT: it takes none"),
        (["FOO=1"], "make takes no variable FOO: it takes none"),
        (["rtl", "deit", "IMGE=x"], "make rtl deit takes no variable IMGE: did you mean IMAGE?"),
        (["deit", "PRUNE=flase"], "PRUNE=flase: expected one of 1, yes, true, on or of 0, no,"),
        (["regression", "WAVES=2"], "WAVES=2: expected one of"),
        (["accuracy", "FINETUNED='a"], "FINETUNED='a: no closing quotation, close the quotes"),
    ],
)
def test_what_a_target_does_not_take_is_refused_before_anything_runs(words, message):
    ended = make(*words)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"error: {message}")
    _, of_make = ended.stderr.splitlines()
    assert of_make.startswith("make: *** ")


def test_a_typo_is_refused_before_the_environment_is_made():
    """`-n` shows what make would run, and in which order."""
    shown = make("-B", "-n", "deit", "SPARSIY=1").stdout.splitlines()
    assert "check deit" in shown[2]
    assert "run deit" in shown[-1]


def test_values_go_to_the_command_whatever_is_in_them(tmp_path: Path):
    folder = tmp_path / 'it\'s a "folder"; $HOME `x`'
    ended = make("rtl", "CONFIG=tiny", f"OUT={str(folder).replace('$', '$$')}")
    assert ended.returncode == 0, ended.stderr
    assert (folder / "tiny" / "accelerator.v").is_file()
    assert json.loads((folder / "tiny" / "manifest.json").read_text())["preset"] == "tiny"
    assert list(tmp_path.iterdir()) == [folder]


def test_the_command_line_comes_before_the_environment():
    ended = make("rtl", CONFIG="nosuch", OUT="")
    assert (ended.returncode, "unknown preset 'nosuch'" in ended.stderr) == (2, True)
    ended = make("rtl", "CONFIG=other", CONFIG="nosuch", LATENCY="3")
    assert (ended.returncode, "unknown preset 'other'" in ended.stderr) == (2, True)


@pytest.mark.parametrize("word", ["1", "yes", "true", "on", "True", "YES"])
def test_words_that_switch_on(word: str):
    assert is_on("X", word)
    assert last_command("deit", PRUNE=word, DUMP=word)[-2:] == ["--prune", "--dump"]
    assert last_command("finetune", FRESH=word)[-1] == "--fresh"
    lines, changes = command_lines(TARGETS["regression"], {"WAVES": word})
    assert (lines[-1][-3:], changes) == (["-rP", "-n", "2"], {"WAVES": "1"})


@pytest.mark.parametrize("word", ["0", "no", "false", "off", "No", "FALSE"])
def test_words_that_switch_off(word: str):
    assert not is_on("X", word)
    assert last_command("deit", PRUNE=word)[-1] == "--no-prune"
    assert last_command("accuracy", INTEGER=word)[-1] == "--no-integer"
    assert last_command("finetune", FRESH=word) == ["sparse-vit", "finetune"]
    lines, changes = command_lines(TARGETS["regression"], {"WAVES": word})
    assert ("-rP" in lines[-1], changes) == (False, {"WAVES": "0"})


def test_other_words_switch_nothing():
    for word in ("2", "maybe", "-1", "y e s"):
        with pytest.raises(UserError, match=f"PRUNE={word}: expected one of 1, yes"):
            last_command("image", PRUNE=word)
    assert last_command("image", PRUNE="") == ["sparse-vit", "image"]


def test_every_value_goes_to_its_option():
    sweep = last_command("sweep", SPEC="-a grid.yaml", CONFIG="small", SEED="3", UNKNOWN="x")
    assert sweep == [
        *["sparse-vit", "sweep", "--config=small", "--seed=3", "--"],
        "-a grid.yaml",
    ]
    accuracy = last_command("accuracy", FINETUNED="one 'the other'", SPARSITY="0.5 0.7", BATCH="4")
    assert accuracy[2:] == [
        *("--sparsity=0.5", "--sparsity=0.7", "--finetuned=one", "--finetuned=the other"),
        "--batch-size=4",
    ]
    assert last_command("figures", FIGURE="speedup pareto")[-3:] == ["--", "speedup", "pareto"]
    regression = last_command("regression", TEST="a and not b", SIM="icarus", WORKERS="5")
    assert regression[-5:] == ["--sim=icarus", "-k", "a and not b", "-n", "5"]


@pytest.mark.parametrize("name", SUB_COMMANDS)
def test_variables_are_the_options_of_the_command(name: str):
    """All of them, each once, of the right kind."""
    command = typer.main.get_command(app).commands[SUB_COMMANDS[name]].load()
    # `make` prints the command first, so that its output is no JSON.
    parameters = [one for one in command.params if one.name not in ("help", "as_json")]
    variables = {
        key: one for key, one in TARGETS[name].variables.items() if not isinstance(one, Setting)
    }
    options = sorted(one.opts[-1] for one in parameters if one.opts[-1].startswith("--"))
    assert options == sorted(
        one.option_of(key) for key, one in variables.items() if one.option != ""
    )
    bare = [one for one in variables.values() if one.option == ""]
    assert len(bare) == sum(not one.opts[-1].startswith("--") for one in parameters)
    for key, one in variables.items():
        if one.option == "":
            continue
        (parameter,) = (some for some in parameters if some.opts[-1] == one.option_of(key))
        assert isinstance(one, Switch) == (bool(getattr(parameter, "is_flag", None))), key
        assert isinstance(one, Values) == bool(parameter.multiple), key
        if isinstance(one, Switch):
            assert one.goes_off == bool(parameter.secondary_opts), key


def test_the_makefile_has_the_targets_of_the_table():
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^TARGETS := (.*)$", makefile, re.M)[1].split()
    phony = re.search(r"^\.PHONY: \$\(TARGETS\) (.*)$", makefile, re.M)[1].split()
    assert sorted([*listed, *phony]) == sorted([*TARGETS, "variables"])


def test_help_needs_no_installed_package():
    ended = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            "import sys; sys.path.insert(0, '.');"
            "from scripts.make_target import main; main('help')",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name, target in TARGETS.items():
        assert re.search(rf"^  make {name} +{re.escape(target.does)}$", ended.stdout, re.M)
    assert make().stdout == make("help").stdout == ended.stdout


def test_the_installation_says_on_one_line_what_is_missing():
    """With a Python that has no packages yet."""
    program = """
import scripts.bootstrap as bootstrap
from rtl_gen.errors import on_one_line
bootstrap.missing_packages = lambda: ["g++", "iverilog"]
bootstrap.apt_get_command = lambda: []
with on_one_line():
    bootstrap.main()
"""
    ended = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    how = "install them as root (apt-get install g++ iverilog)"
    assert ended.stderr == f"error: missing g++: {how}\n"


@pytest.mark.parametrize(
    ("machine", "headers", "missing"),
    [("x86_64", False, False), ("aarch64", False, True), ("aarch64", True, False)],
)
def test_headers_are_needed_where_packages_are_compiled(monkeypatch, machine, headers, missing):
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: machine)
    monkeypatch.setattr(bootstrap, "has_headers", lambda: headers)
    wanted = f"{bootstrap.THIS_PYTHON}-dev"
    assert (wanted in bootstrap.missing_packages()) == missing
