"""What the documents tell a reader to type exists, works and does what they say."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperOption

from scripts.documents.blocks import run, steps
from scripts.documents.measurements import MEASUREMENTS
from scripts.documents.results import PAGES as PAGES_WITH_TABLES
from scripts.documents.tables import TABLES, rewritten
from scripts.targets import TARGETS
from sparse_vit import __version__
from sparse_vit.command_line import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TYPED = [path for path in DOCUMENTS if list(steps(path.read_text()))]
LONG = ("docs/tutorials/network.md",)
COMMANDS = typer.main.get_command(app).commands


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.long] if named(page) in LONG else []) for page in TYPED],
    ids=named,
)
def test_what_a_page_tells_to_type(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page)


FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code(text: str) -> Iterator[str]:
    """Everything set as code, a line or a span at a time; a backslash goes on."""
    text = text.replace("\\\n", " ")
    for block in FENCED.finditer(text):
        yield from (line.removeprefix("$ ") for line in block[2].splitlines() if not block[1])
        yield from (line[2:] for line in block[2].splitlines() if line.startswith("$ "))
    text = FENCED.sub("", text)
    yield from re.findall(r"^ {4}(.*)$", text, re.MULTILINE)
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))


def calls(document: Path, program: str) -> Iterator[list[str]]:
    """Words behind `program` wherever a document has it in code."""
    for line in code(document.read_text()):
        words = shlex.split(line.replace("'", ""), comments=True)
        for place, word in enumerate(words):
            if word == program or word == f".venv/bin/{program}":
                yield words[place + 1 :]


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_targets_and_variables_exist(document):
    for target, *words in calls(document, "make"):
        if target.startswith("--") or target == "...":
            continue
        assert target in TARGETS, f"make {target}"
        variables = [word.partition("=")[0] for word in words if re.match(r"[A-Z_]+=", word)]
        assert set(variables) <= TARGETS[target].variables.keys(), f"make {target}"


@pytest.mark.parametrize(
    "document", [one for one in DOCUMENTS if one.name != "errors.md"], ids=named
)
def test_commands_and_options_exist(document):
    for name, *words in (call for call in calls(document, "sparse-vit") if call):
        if name.startswith("--") or name == "COMMAND":
            continue
        assert name in COMMANDS, f"sparse-vit {name}"
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= options_of(name) | {"--help"}, f"sparse-vit {name}"


def options_of(name: str) -> set[str]:
    parameters = COMMANDS[name].load().params
    return {
        option
        for parameter in parameters
        if isinstance(parameter, TyperOption)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_the_way_in_is_the_command(document):
    old = r"python3? -m (model|sim_models|rtl_gen|sparse_vit|cocotb_tests)\b(?!\.)"
    assert re.findall(old, document.read_text()) == []


@pytest.mark.parametrize("page", PAGES_WITH_TABLES, ids=named)
def test_tables_are_those_of_the_measurements(page):
    assert rewritten(page.read_text()) == page.read_text(), "write them anew: make results"


def test_every_table_has_a_place():
    text = "".join(page.read_text() for page in PAGES_WITH_TABLES)
    assert sorted(re.findall(r"<!-- table: (.*?) -->", text)) == sorted(TABLES)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_rows_of_a_measurement_are_distinct(name):
    measurement = MEASUREMENTS[name]
    rows = measurement.rows()
    assert list(rows.columns) == list(measurement.columns)
    assert not rows.duplicated(list(measurement.key)).any()


def test_hardware_and_cycle_model_agree_in_every_measurement():
    for name, hardware, model in (
        ("rtl_runs", "cycles", "cycles_model"),
        ("demo", "cycles_rtl", "cycles_model"),
    ):
        rows = MEASUREMENTS[name].rows()
        assert (rows[hardware] == rows[model]).all()
        assert (rows.mismatches == 0).all()


def test_the_version_stands_once_and_is_cited():
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_lines_of_the_readme_fit_a_screen():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in lines if len(line) > 100 and not line.startswith("deit_tiny:")] == []
