"""An attempt: a command with files of its own, run in this process, and the verdict on it.

Right are exit status 0 and a result of finite numbers, or 2 and one line `error: ...` and nothing
written; `warning: ...` lines may stand beside either. Files that only look different must give
what the undamaged ones give.
"""

import contextlib
import io
import os
import re
import resource
import signal
import stat
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path

from sparse_vit.command_line import main

LIMIT_SECONDS = 30
"""No attempt takes that long unless it hangs, as one does that reads a pipe which nobody writes."""

LIMIT_BYTES = 2 << 30
"""Of memory, beside what this process has: files that swell meet MemoryError, not the system."""

OUT = "out"
"""Folder of what commands write, in an attempt's own folder."""


class HangError(BaseException):
    """An attempt went on for LIMIT_SECONDS; no OSError, which commands would catch."""


class Node(Enum):
    """What stands under a file's name instead of a file."""

    FOLDER = "a folder"
    FIFO = "a named pipe that nobody uses"
    DEVICE = "a device like /dev/null"
    FULL = "a device on which no space is left"
    LOST_LINK = "a link to nothing"
    LOOP = "a link to itself"


_DEVICES = {Node.DEVICE: (1, 3), Node.FULL: (1, 7)}
"""Major and minor number."""


@dataclass(frozen=True, repr=False, eq=False)
class Attempt:
    """A command line and its files; `{name}` in a word stands for the path of the file `name`."""

    words: tuple[str, ...]
    """Of `sparse-vit`."""
    files: Mapping[str, bytes | Node] = field(default_factory=dict)
    """By a path relative to the attempt's own folder."""
    damage: str = "none"
    refused: bool = False
    """No result can be right."""
    same_as: "Attempt | None" = None
    """The damage makes no difference to this one."""

    def __repr__(self) -> str:
        sizes = {
            name: len(data) if isinstance(data, bytes) else data.value
            for name, data in self.files.items()
        }
        return f"{' '.join(map(repr, self.words))} with {self.damage}, files {sizes}"


@dataclass(frozen=True)
class Ending:
    """What a command left behind."""

    status: int | None
    """None: an exception came out of it, HangError among them."""
    stdout: str
    stderr: str
    written: Mapping[str, bytes]
    """Files below OUT."""
    replaced: tuple[str, ...] = ()
    """What was no file and now is another thing."""

    def problem(self) -> str | None:
        """What is wrong with it by itself."""
        if self.status is None:
            return f"a traceback\n{self.stderr}"
        if self.replaced:
            return f"replaced: {', '.join(self.replaced)}"
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        others = [line for line in lines if not line.startswith(("warning: ", "error: "))]
        others = [line for line in others if "━" not in line]  # a progress bar
        errors = [line for line in lines if line.startswith("error: ")]
        if others:
            return f"status {self.status} and on standard error {others[0]!r}"
        if self.status not in (0, 2) or len(errors) != (self.status == 2):
            return f"status {self.status} and {len(errors)} error lines {errors}"
        if self.status == 2 and self.written:
            return f"{errors[0]!r}, but {', '.join(self.written)} was written"
        if self.status == 0 and re.search(r"\b(nan|inf|infinity)\b", self.stdout, re.IGNORECASE):
            return f"status 0 and no numbers in {self.stdout!r}"
        return None


def judge(attempt: Attempt) -> tuple[Ending, str | None]:
    """Run an attempt; what is wrong with how it ended, if anything."""
    ending = run(attempt)
    problem = ending.problem()
    if problem is None and attempt.refused and ending.status == 0:
        problem = f"accepted, though nothing right can come of it: {ending.stdout!r}"
    if problem is None and attempt.same_as is not None:
        expected = _undamaged(attempt.same_as)
        if (ending.status, ending.stdout) != (expected.status, expected.stdout):
            problem = (
                f"status {ending.status}, {ending.stdout!r}, {ending.stderr!r}: "
                f"expected {expected.status}, {expected.stdout!r}"
            )
        elif ending.written != expected.written:
            problem = "what was written differs from that of the undamaged file"
    return ending, problem


def run(attempt: Attempt) -> Ending:
    """Run an attempt in a folder of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / OUT).mkdir()
        for path, contents in attempt.files.items():
            _place(folder / path, contents)
        kinds = {path: _kind(folder / path) for path in attempt.files}
        words = [_filled(word, folder, attempt.files) for word in attempt.words]
        stdout, stderr = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            _as_for_users(),
            _Ended() as ended,
            _limited(LIMIT_SECONDS),
        ):
            main(*words)
        texts = (text.getvalue().replace(str(folder), "") for text in (stdout, stderr))
        replaced = tuple(
            f"{path}, {attempt.files[path].value}"
            for path, kind in kinds.items()
            if kind != stat.S_IFREG and _kind(folder / path) != kind
        )
        return Ending(ended.status, *texts, dict(_written(folder / OUT)), replaced)


@cache
def _undamaged(attempt: Attempt) -> Ending:
    return run(attempt)


def _place(path: Path, contents: bytes | Node) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(contents, bytes):
        path.write_bytes(contents)
    elif contents is Node.FOLDER:
        path.mkdir(exist_ok=True)
    elif contents is Node.FIFO:
        os.mkfifo(path)
    elif contents in _DEVICES:
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(*_DEVICES[contents]))
        except PermissionError:
            # Only root makes devices. The real ones are not put at risk.
            os.mkfifo(path)
    else:
        path.symlink_to(path if contents is Node.LOOP else path.with_name("nothing"))


def _kind(path: Path) -> int | None:
    """File, folder, link ... as `stat` numbers them; None for nothing."""
    return stat.S_IFMT(path.lstat().st_mode) if os.path.lexists(path) else None


def _filled(word: str, folder: Path, files: Mapping[str, bytes | Node]) -> str:
    for name in (OUT, *files):
        word = word.replace(f"{{{name}}}", str(folder / name))
    return word


def _written(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(folder)), path.read_bytes()


class _Ended:
    """Keeps the exit status of its block; prints any other exception."""

    status: int | None = None

    def __enter__(self) -> "_Ended":
        return self

    def __exit__(self, kind, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, SystemExit):
            self.status = error.code or 0
        elif error is not None:
            traceback.print_exception(error)
        return not isinstance(error, KeyboardInterrupt)


@contextlib.contextmanager
def _as_for_users() -> Iterator[None]:
    """Python's own treatment of warnings, whatever runs us."""

    def show(message, category, filename, line, *_: object) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, line))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.showwarning = show
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
        yield


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Limits of time and memory."""

    def stop(*_: object) -> None:
        raise HangError(f"no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + LIMIT_BYTES, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
