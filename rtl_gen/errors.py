"""The one exception that users see: a sentence that says what is wrong, what was expected, what to do."""


class UserError(ValueError):
    """Bad input from the user. Every command prints its message on one line and exits with status 2."""
