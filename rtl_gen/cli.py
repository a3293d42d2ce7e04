"""What every command line of the project shares: a user's error is one line and exit status 2."""

import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper

import typer
from typer.exceptions import Abort, TyperException

from rtl_gen.errors import INTERRUPTED, InputWarning, UserError, on_one_line

LARGEST_SEED = 2**31 - 2
"""Simulators take one more at most, which some commands give them."""


def run(app: typer.Typer, name: str | None = None, words: Sequence[str] | None = None) -> None:
    """Run `app` and exit: 0 if all went well, otherwise as `errors.on_one_line` says.

    `name` and `words` stand for those of this program's own command line.

    An option that Typer does not accept is bad input, too. An InputWarning is a line `warning: ...`
    on standard error.
    """
    _show_input_warnings()
    if isinstance(sys.stdout, TextIOWrapper):
        # Names of files may be any bytes; a log in a file shows every line when it is written.
        sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    with on_one_line():
        status = _status(app, name, words)
    sys.exit(status)


def _status(app: typer.Typer, name: str | None, words: Sequence[str] | None) -> int | None:
    """Typer's own endings as exceptions of the project or of Python."""
    try:
        status = app(words, name, standalone_mode=False)
    except TyperException as error:
        raise UserError(error.format_message()) from error
    except Abort as error:
        raise UserError("a file or the standard input ends too early") from error
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from error
        raise
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return status


def _show_input_warnings() -> None:
    """An InputWarning on one line, once for each cause; Python shows other warnings as ever."""
    show_others, shown = warnings.showwarning, set()

    def show(message, category, *where, **options) -> None:
        if not issubclass(category, InputWarning):
            show_others(message, category, *where, **options)
        elif message.cause not in shown:
            shown.add(message.cause)
            print("warning:", " ".join(str(message).split()), file=sys.stderr)

    warnings.simplefilter("always", InputWarning)
    warnings.showwarning = show
