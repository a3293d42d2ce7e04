"""What every command line of the project shares: user errors are one line and exit status 2."""

import sys

import typer

from rtl_gen.errors import UserError


def run(app: typer.Typer) -> None:
    """Run `app`; a UserError becomes `error: ...` on standard error and exit status 2."""
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
