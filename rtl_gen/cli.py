"""What every command line of the project shares: a user's error is one line and exit status 2."""

import sys
import warnings

import typer
from typer.exceptions import Abort, TyperException

from rtl_gen.errors import InputWarning, UserError

LARGEST_SEED = 2**31 - 2
"""Simulators take one more at most, which some commands give them."""


def run(app: typer.Typer) -> None:
    """Run `app` and exit: 0 if all went well, 2 after `error: ...` on standard error for bad input.

    Bad input is a UserError from the project, or an option that Typer does not accept. An
    InputWarning is a line `warning: ...` on standard error.
    """
    _show_input_warnings()
    try:
        sys.exit(app(standalone_mode=False))
    except (UserError, TyperException) as error:
        message = error.format_message() if isinstance(error, TyperException) else str(error)
        print("error:", " ".join(message.split()), file=sys.stderr)
        sys.exit(2)
    except Abort:
        sys.exit(130)


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
