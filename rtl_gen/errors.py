"""What users see of bad input: one line that says what is wrong, what was expected, what to do."""


class UserError(ValueError):
    """Bad input from the user; every command prints it on one line and exits with status 2."""


class InputWarning(UserWarning):
    """Input that is legal but hardly meant; commands print it on one line and go on."""
