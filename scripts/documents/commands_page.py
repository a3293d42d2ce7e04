"""The page of commands, from the command line itself."""

from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from scripts.documents.markdown import table
from sparse_vit.command_line import COMMANDS, NAME, app

_INTRODUCTION = f"""\
# Commands

`{NAME} COMMAND --help` says the same in a terminal; `{NAME} --install-completion` completes names
and options in the shell. In a clone the command is `.venv/bin/{NAME}`. A command ends with 0, or
with 2 and one line `error: ...` ([error messages](../errors.md)), or with 130 after Ctrl-C. It says
before long work what it could not write at the end; files are written whole or not at all.

"""


def page() -> str:
    """Every command by panel: what it does, its arguments and options."""
    group = typer.main.get_command(app)
    sections = [_INTRODUCTION]
    for panel, names in COMMANDS.items():
        sections.append(f"## {panel}\n\n")
        sections += [_section(group.commands[name].load()) for name in names]
    return "".join(sections)


def _section(command: TyperCommand) -> str:
    title = f"{NAME} {command.name}"
    does = " ".join((command.help or "").split("\f")[0].split())
    rows = list(_rows(command))
    options = table(["option", "default", "means"], rows) if rows else ""
    return f"### {title}\n\n{does}\n\n{options}\n"


def _rows(command: TyperCommand) -> Iterator[list[str]]:
    """Name, default and meaning of every parameter but --help."""
    for parameter in command.params:
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        if isinstance(parameter, TyperArgument):
            names = names.upper()
        yield [f"`{names}`", _default(parameter), (parameter.help or "").strip()]


def _default(parameter: TyperArgument | TyperOption) -> str:
    """What stands in the column; nothing where an option is left out by default."""
    value = parameter.default
    if parameter.required:
        return "required"
    if isinstance(value, bool):
        return ("on" if value else "off") if parameter.secondary_opts else ""
    return "" if value in (None, ()) else f"`{value}`"
