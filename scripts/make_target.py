"""What the Makefile calls: check the variables of a call, list the targets, run one of them.

    python -m scripts.make_target check [TARGET ...]
    python -m scripts.make_target help
    python -m scripts.make_target run TARGET

A variable's value is that of make's command line, or else of the environment; an empty one counts
as none. Both come in the environment, which needs no quoting; GIVEN_VARIABLES there names those of
the command line. Needs nothing but Python's standard library.
"""

import difflib
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence

from rtl_gen.errors import UserError, on_one_line
from scripts.targets import EVERYWHERE, TARGETS, Target


def check(names: Sequence[str], given: Sequence[str], environment: Mapping[str, str]) -> None:
    """Refuse a variable that none of the targets takes, and values that cannot be.

    Names that are no targets are left to make.

    Raises:
        UserError: with the nearest variable, or all of them.
    """
    targets = [TARGETS[name] for name in names or ["help"] if name in TARGETS]
    known = sorted({variable for target in targets for variable in target.variables})
    for name in given:
        if name in EVERYWHERE or name in known:
            continue
        near = difflib.get_close_matches(name.upper(), known, 1)
        takes = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known) or 'none'}"
        call = " ".join(["make", *names])
        raise UserError(f"{call} takes no variable {name}: {takes}")
    for target in targets:
        command_lines(target, environment)


def command_lines(
    target: Target, environment: Mapping[str, str]
) -> tuple[list[list[str]], dict[str, str]]:
    """The commands of a target, and what changes in their environment."""
    options, bare, changes = [], [], {}
    for name, variable in target.variables.items():
        text = environment.get(name) or target.defaults.get(name)
        if not text:
            continue
        arguments = variable.arguments(name, text)
        (options if variable.option != "" else bare).extend(arguments)
        setting = variable.setting(name, text)
        if setting is not None:
            changes[name] = setting
    lines = [shlex.split(command) for command in target.commands]
    lines[-1:] = [[*line, *options, *(["--", *bare] if bare else [])] for line in lines[-1:]]
    return lines, changes


_PROGRAMS = {"python": [sys.executable], "sparse-vit": [sys.executable, "-m", "sparse_vit"]}
"""Those of .venv, which runs this."""


def run(target: Target) -> None:
    """Run a target's commands, each shown first, until one fails; the last is all that stays."""
    lines, changes = command_lines(target, os.environ)
    os.environ.update(changes)
    for line in lines:
        program = [*_PROGRAMS.get(line[0], line[:1]), *line[1:]]
        print(shlex.join(program), flush=True)
        if line is lines[-1]:
            os.execvp(program[0], program)
        ended = subprocess.run(program, check=False)
        if ended.returncode:
            sys.exit(ended.returncode)


def show_help() -> None:
    """Every target with its variables."""
    width = max(map(len, TARGETS))
    for name, target in TARGETS.items():
        print(f"  make {name:{width}}  {target.does}")
        shown = " ".join(one.shown(name) for name, one in sorted(target.variables.items()))
        indent = " " * (width + 11)
        for line in textwrap.wrap(shown, 100, initial_indent=indent, subsequent_indent=indent):
            print(line)


def main(action: str, *names: str) -> None:
    match action:
        case "check":
            check(names, os.environ.get("GIVEN_VARIABLES", "").split(), os.environ)
        case "help":
            show_help()
        case "run":
            run(TARGETS[names[0]])


if __name__ == "__main__":
    with on_one_line():
        main(*sys.argv[1:])
