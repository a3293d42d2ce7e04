"""What users see of bad input: one line that says what is wrong, what was expected, what to do.

Needs nothing but Python's standard library.
"""

import errno
import os
import select
import sys
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress

FAILED, INTERRUPTED, UNREAD = 2, 130, 141
"""Exit status after a line `error: ...`, after Ctrl-C, and once nobody reads the output."""

_ADVICE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EACCES: "choose a place that this user may use",
    errno.EPERM: "choose a place that this user may use",
    errno.EROFS: "choose another place",
    errno.ENOENT: "check its name",
    errno.EMFILE: "allow more open files (ulimit -n)",
}


class UserError(ValueError):
    """Bad input from the user; every command prints it on one line and exits with status 2."""


class InputWarning(UserWarning):
    """Input that is legal but hardly meant; commands print it on one line and go on.

    cause: what a command warns of once, however often it meets it; by default the message
    """

    def __init__(self, message: str, *, cause: Hashable | None = None):
        super().__init__(message)
        self.cause = message if cause is None else cause


@contextmanager
def on_one_line() -> Iterator[None]:
    """End the program with one line on standard error if the block meets what is no fault of it.

    That is bad input, what the system refuses (a full disk, no memory), input that nests too deep,
    and Ctrl-C. Other exceptions are faults of the program and show where they come from.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            status = UNREAD
        else:
            line = _line(error)
            if line is None:
                raise
            status = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
            with suppress(OSError):
                print("error:", " ".join(line.split()), file=sys.stderr)
        _forget_output()
        sys.exit(status)


def _line(error: BaseException) -> str | None:
    """What to tell the user; None for a fault of the program."""
    match error:
        case UserError():
            return str(error)
        case KeyboardInterrupt():
            return "interrupted"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            advice = _ADVICE.get(error.errno or 0)
            return f"{where}{error.strerror or error}{f': {advice}' if advice else ''}"
        case RecursionError():
            return "the input nests too deep: expected fewer levels"
    # PyTorch has no MemoryError.
    allocation = isinstance(error, RuntimeError) and (
        "can't allocate memory" in str(error) or "out of memory" in str(error)
    )
    if isinstance(error, MemoryError) or allocation:
        return "out of memory: choose less at a time, such as a smaller batch, or a larger machine"
    return None


def _nobody_reads() -> bool:
    """Whether the reader of the output is gone, as that of `| head`."""
    poll = select.poll()
    with suppress(AttributeError, OSError):
        poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _forget_output() -> None:
    """Drop what cannot be printed, lest Python tries again at its end and tells of it."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
