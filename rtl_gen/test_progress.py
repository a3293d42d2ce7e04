"""Progress of long work where standard error is no terminal, and on one."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtl_gen import progress
from rtl_gen.progress import progress_over, status


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.05)


@pytest.mark.usefixtures("often")
def test_a_line_now_and_then(capsys):
    """Also while nothing is told; the last one says how it ended."""
    with progress_over(40, "steps", done=10) as advance:
        time.sleep(0.3)
        advance(5, loss=0.5)
        advance(15, loss=0.25)
        time.sleep(0.3)
        advance(10)
    lines = re.sub(r"0:00:\d\d", "TIME", capsys.readouterr().err).splitlines()
    assert lines[0] == "steps: 10 of 40 (25 %), TIME"
    assert "steps: 30 of 40 (75 %), TIME, TIME left, loss 0.25" in lines
    assert lines[-1] == "steps: 40 of 40 (100 %), TIME, loss 0.25"


def test_short_work_leaves_none(capsys):
    with progress_over(3) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("often")
def test_still_progress_waits_until_it_is_told(capsys):
    with progress_over(2, still=True) as advance:
        time.sleep(0.2)
        assert capsys.readouterr().err == ""
        advance()
        assert capsys.readouterr().err.startswith("images: 1 of 2 (50 %)")


@pytest.mark.usefixtures("often")
def test_work_that_fails_ends_its_lines(capsys):
    with pytest.raises(RuntimeError, match="no"), progress_over(2):
        raise RuntimeError("no")
    before = capsys.readouterr().err
    time.sleep(0.2)
    assert capsys.readouterr().err == "" == before


@pytest.mark.usefixtures("often")
def test_what_is_being_done(capsys):
    with status("mapping") as say:
        time.sleep(0.2)
        say("placing")
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "mapping"
    assert lines[-1] == "placing"


def test_a_log_in_a_file_is_written_as_it_grows(tmp_path: Path):
    """Of a command, by lines: standard output is not kept back until the end."""
    program = (
        "import os, sys, typer; from rtl_gen import cli; app = typer.Typer()\n"
        "@app.command()\n"
        "def work():\n    print('begun'); os._exit(0)\n"
        "cli.run(app, 'work', [])"
    )
    log = tmp_path / "log"
    kept_back = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", program]
    with log.open("w") as file:
        subprocess.run(command, stdout=file, env=kept_back, check=True, timeout=120)
    assert log.read_text() == "begun\n"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_over(2, "rows") as advance:
        advance(2, loss=1.5)
    shown = capsys.readouterr().err
    assert "rows" in shown
    assert "2/2" in shown
    assert "loss 1.5" in shown
