"""A sub-command that is imported when it is called.

Its line in the help is the first one of the function's docstring, read from the source. A function
that returns what its tables show, as anything that JSON holds or pandas frames, also has `--json`.
"""

import ast
import functools
import inspect
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from rtl_gen.extras import naming_extras

ROOT = Path(__file__).parents[1]


class LazyCommand(TyperCommand):
    """Stands for the function at `place`, "module:function", until it is called."""

    def __init__(self, name: str, place: str, panel: str):
        super().__init__(name, help=first_line(place), rich_help_panel=panel)
        self._place = place

    def make_context(self, *positional: Any, **named: Any) -> Any:
        """The context of the real command, which therefore is what runs, helps and completes."""
        return self.load().make_context(*positional, **named)

    def load(self) -> Any:
        """The real command.

        Raises:
            UserError: a package of an extra is missing.
        """
        with naming_extras():
            function = _function(self._place)
        app = typer.Typer(add_completion=False)
        app.command(self.name)(naming_extras()(_with_json(function)))
        return typer.main.get_command(app)


@functools.cache
def first_line(place: str) -> str:
    """Of the docstring of a function, up to its first empty line; nothing is imported."""
    module, _, name = place.partition(":")
    source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_bytes()
    nodes = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    docstring = next(ast.get_docstring(node) for node in nodes if node.name == name)
    return " ".join((docstring or "").split("\n\n")[0].split())


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _with_json(function: Callable[..., Any]) -> Callable[..., None]:
    """The function as a command, with `--json` if it returns anything."""
    signature = inspect.signature(function)
    if signature.return_annotation is None:
        return function

    @functools.wraps(function)
    def command(*, as_json: bool, **options: Any) -> None:
        if not as_json:
            function(**options)
            return
        with redirect_stdout(sys.stderr):
            result = function(**options)
        json.dump(result, sys.stdout, indent=2, default=_plain)
        print()

    kind = Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, all else on standard error.")
    ]
    parameter = inspect.Parameter(
        "as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind
    )
    command.__dict__["__signature__"] = signature.replace(
        parameters=[*signature.parameters.values(), parameter], return_annotation=None
    )
    command.__annotations__ = {**function.__annotations__, "as_json": kind, "return": None}
    return command


def _plain(value: Any) -> Any:
    """What JSON lacks, in what it has: frames are lists of rows, arrays are lists."""
    if hasattr(value, "to_dict"):
        return json.loads(value.to_json(orient="records"))
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
