"""Code of a page: what a reader would type, and what the page says comes out.

Fenced blocks at the margin count. `python` is Python; all such blocks of a page are one programme.
`console` holds lines `$ command` with the output behind each. A `text` block straight behind a
`python` block is what that one prints. Where an expected output has `...`, anything may stand.
"""

import doctest
import io
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\n(\s*)", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_PROGRAM = "sparse-vit"


@dataclass(frozen=True)
class Step:
    """Something to type."""

    language: str
    """python or console."""
    text: str
    """Python, or a command line."""
    output: str | None
    """What comes out; None: whatever."""
    line: int
    """Of the page, 1 is the first."""


def steps(page: str) -> Iterator[Step]:
    """Everything in a page that a reader types, in its order."""
    blocks = list(_FENCE.finditer(page))
    for place, block in enumerate(blocks):
        language, text = block[1], block[2]
        line = page.count("\n", 0, block.start(2)) + 1
        if language == "python":
            behind = blocks[place + 1] if place + 1 < len(blocks) else None
            shown = behind is not None and behind[1] == "text" and behind.start() == block.end()
            yield Step(language, text, behind[2] if shown else None, line)
        if language == "console":
            for command in _COMMAND.finditer(text):
                typed = command[1].replace("\\\n", " ")
                yield Step(language, typed, command[2] or None, line)


class Reader:
    """Somebody who types a page, in the current folder."""

    def __init__(self, name: str):
        self._name = name
        self._variables = {"__name__": "__page__"}

    def do(self, step: Step) -> str:
        """Type it; returns what is printed.

        Raises:
            AssertionError: something else comes out than the page says.
        """
        printed = self._python(step) if step.language == "python" else _command(step.text)
        checker, flags = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if step.output is not None and not checker.check_output(step.output, printed, flags):
            raise AssertionError(
                f"{self._name}:{step.line}: {step.text}\nthe page shows\n{step.output}\n"
                f"but out comes\n{printed}"
            )
        return printed

    def _python(self, step: Step) -> str:
        # Lines of tracebacks are those of the page.
        source = "\n" * (step.line - 1) + step.text
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, self._name, "exec"), self._variables)  # noqa: S102
        return printed.getvalue()


def _command(text: str) -> str:
    """What a command of the project prints; others are left to the reader."""
    words = shlex.split(text)
    if words[:1] != [_PROGRAM]:
        return ""
    from sparse_vit.command_line import main

    with io.StringIO() as printed, redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(*words[1:])
        except SystemExit as ended:
            if ended.code not in (0, None, 2):
                raise
        return printed.getvalue()


def run(page: Path) -> None:
    """Type a page in the current folder, telling what is typed.

    Raises:
        AssertionError: something else comes out than the page says.
    """
    reader = Reader(page.name)
    for step in steps(page.read_text()):
        print(f"{page.name}:{step.line}", file=sys.stderr)
        reader.do(step)
