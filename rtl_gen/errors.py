"""The one exception that users see: what is wrong, what was expected, what to do."""


class UserError(ValueError):
    """Bad input from the user; every command prints it on one line and exits with status 2."""
