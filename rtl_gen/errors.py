"""What users see of bad input: one line that says what is wrong, what was expected, what to do."""

from collections.abc import Hashable


class UserError(ValueError):
    """Bad input from the user; every command prints it on one line and exits with status 2."""


class InputWarning(UserWarning):
    """Input that is legal but hardly meant; commands print it on one line and go on.

    cause: what a command warns of once, however often it meets it; by default the message
    """

    def __init__(self, message: str, *, cause: Hashable | None = None):
        super().__init__(message)
        self.cause = message if cause is None else cause
