"""How commands end: one line for what is no fault of theirs, a traceback for what is.

Every program here is a process of its own with one command, ended in some way.
"""

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import typer

from rtl_gen import cli

PROGRAM = """
import os, signal, sys, warnings
from pathlib import Path
import numpy as np
import typer
from rtl_gen import cli
from rtl_gen.errors import InputWarning, UserError
from rtl_gen.files import replace_file

app = typer.Typer(add_completion=False)

@app.command()
def command(number: int = 0):
    {body}

cli.run(app)
"""


def start(body: str, *words: str, shell: str = "", **options) -> subprocess.CompletedProcess:
    """The command's end; `shell` follows it on a command line of bash."""
    program = PROGRAM.format(body=textwrap.indent(textwrap.dedent(body), "    ").strip())
    command = [sys.executable, "-c", program, *words]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(
        command, capture_output=True, check=False, timeout=60, env=environment, **options
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('raise UserError("two\\n  lines")', "two lines"),
        ('open("/absent/file")', "/absent/file: No such file or directory: check its name"),
        ('Path("/dev/full").write_text("x")', "No space left on device: make room there"),
        ('raise OSError("image file is truncated")', "image file is truncated"),
        ("nest = lambda: nest()\nnest()", "the input nests too deep: expected fewer levels"),
        ("np.zeros(2**50)", "out of memory: choose less at a time"),
    ],
)
def test_what_no_command_can_help_is_one_line(body: str, line: str):
    ended = start(body)
    assert ended.returncode == 2
    assert ended.stdout == b""
    assert ended.stderr.decode().startswith(f"error: {line}")
    assert ended.stderr.count(b"\n") == 1


def test_input_that_ends_too_early():
    """Typer puts an empty line before."""
    ended = start('raise EOFError("no data")')
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.strip() == b"error: a file or the standard input ends too early"


def test_what_pytorch_cannot_allocate_is_one_line():
    ended = start("import torch; torch.empty(2**50)")
    assert (ended.returncode, ended.stderr.count(b"\n")) == (2, 1), ended.stderr
    assert ended.stderr.startswith(b"error: out of memory: ")


@pytest.mark.parametrize("words", [("--absent",), ("--number", "x"), ("--number",), ("extra",)])
def test_options_that_are_not_known(words: tuple[str, ...]):
    ended = start("pass", *words)
    assert (ended.returncode, ended.stderr.count(b"\n")) == (2, 1), ended.stderr
    assert ended.stderr.startswith(b"error: ")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("assert number == 1", "AssertionError"),
        ("number.absent", "AttributeError"),
        ("[][number]", "IndexError"),
        ('raise RuntimeError("fault")', "RuntimeError: fault"),
    ],
)
def test_faults_of_a_program_show_where_they_are(body: str, kind: str):
    ended = start(body)
    assert ended.returncode == 1
    assert b"Traceback" in ended.stderr
    assert kind in ended.stderr.decode().splitlines()[-1]


def test_an_interrupt_leaves_nothing(tmp_path: Path):
    body = f"""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    with replace_file(Path("{tmp_path}/file")) as file:
        file.write(b"x")
        os.kill(os.getpid(), signal.SIGINT)
    """
    ended = start(body)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"error: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_output_that_does_not_fit():
    for body in ('print("x")', 'print("x" * 100_000)'):
        ended = start(body, shell="> /dev/full")
        assert ended.returncode == 2
        assert ended.stderr == b"error: No space left on device: make room there\n"


def test_output_that_nobody_reads():
    for body in ('print("x" * 1_000_000)', 'print("x" * 1_000_000, flush=True)'):
        ended = start(body, shell="| head -c 1; exit ${PIPESTATUS[0]}")
        assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGPIPE, b"x", b"")


def test_another_broken_pipe_is_told():
    body = "ends = os.pipe(); os.close(ends[0]); os.write(ends[1], b'x')"
    ended = start(body)
    assert (ended.returncode, ended.stderr) == (2, b"error: Broken pipe\n")


def test_output_that_a_program_keeps(monkeypatch: pytest.MonkeyPatch):
    """As text in memory, which has no encoding that could be changed."""
    app = typer.Typer()
    app.command()(lambda: print("x"))
    monkeypatch.setattr(sys, "argv", ["command"])
    with redirect_stdout(StringIO()) as kept, pytest.raises(SystemExit) as ended:
        cli.run(app)
    assert (kept.getvalue(), ended.value.code) == ("x\n", None)


def test_without_an_output():
    assert start('print("x")', shell=">&-").returncode == 0


def test_names_of_any_bytes_are_printed():
    ended = start(r'print(Path(os.fsdecode(b"\xff.png"))); raise UserError(os.fsdecode(b"\xfe"))')
    assert (ended.stdout, ended.stderr) == (b"\\udcff.png\n", b"error: \\udcfe\n")


def test_a_warning_is_one_line_for_each_cause():
    body = """
    for word in ("odd", "odd", "rare"):
        warnings.warn(f"{word}\\n input", InputWarning)
        warnings.warn(InputWarning(f"{word} masks", cause="masks"))
    """
    ended = start(body)
    lines = [b"warning: odd input", b"warning: odd masks", b"warning: rare input", b""]
    assert (ended.returncode, ended.stderr) == (0, b"\n".join(lines))
