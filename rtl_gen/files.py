"""Writing files: whole or not at all, and only where files belong.

Whatever cannot be written is a UserError that names it. A file that a link leads to is replaced,
not the link. The standard output or error of this process, other devices and pipes are no files:
they get the bytes. A new file has no name while it is written (O_TMPFILE), where the file system
knows such files. What a killed process may leave nevertheless, a `.partial-*`, the next one that
writes into the folder removes: it is locked as long as somebody writes it.
"""

import errno
import fcntl
import io
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rtl_gen.errors import UserError

PARTIAL = ".partial-"


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """A buffer; `path` gets its bytes when the block ends without an error, and nothing otherwise.

    A file takes the place of the old one in one step and keeps its permissions; missing folders are
    made. Whether `path` can be written shows before the block, but for a disk that is full.

    Raises:
        UserError: `path` is a folder, a disk or a pipe that nobody reads, or cannot be written.
    """
    with _errors_of(path):
        stream = _open_stream(path)
        if stream is None:
            _check_place(path)
    try:
        contents = io.BytesIO()
        yield contents
        with _errors_of(path):
            if stream is None:
                _replace(path, contents.getbuffer())
            else:
                _write(stream, contents.getbuffer())
    finally:
        if stream is not None:
            os.close(stream)


def write_if_changed(path: Path, content: str | bytes) -> bool:
    """Make `path` hold `content`, as `replace_file` does and only if it differs.

    Tells whether it was written.
    """
    data = content.encode() if isinstance(content, str) else content
    with _errors_of(path):
        if path.is_file() and path.read_bytes() == data:
            return False
    with replace_file(path) as file:
        file.write(data)
    return True


def append_to_file(path: Path, contents: bytes) -> None:
    """Add to the end of a file, or make one; contents cut short stay there if the disk fills up."""
    with _errors_of(path):
        if not _is_file(path):
            raise UserError(f"cannot write {path}: it is no file, name one")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            _write(file, contents)
        finally:
            os.close(file)


def make_folder(path: Path) -> None:
    """A folder that can be written to, with those above it."""
    with _errors_of(path):
        path.mkdir(parents=True, exist_ok=True)
        _check_folder(path)


def check_writable(path: Path) -> None:
    """Refuse now what `replace_file` would refuse once the work is done."""
    with _errors_of(path):
        if _is_file(path):
            _check_place(path)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {path} ({reason}): choose another place") from error


def _is_file(path: Path) -> bool:
    """False for devices and pipes; a file may be new.

    Raises:
        UserError: neither.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    for kind, holds in (("folder", stat.S_ISDIR), ("disk", stat.S_ISBLK)):
        if holds(mode):
            raise UserError(f"cannot write {path}: it is a {kind}, name a file")
    return stat.S_ISREG(mode)


def _open_stream(path: Path) -> int | None:
    """A descriptor of the device or pipe at `path`; None for a file."""
    if _is_file(path):
        return _own_output(path)
    try:
        stream = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO and path.is_fifo():
            raise UserError(
                f"cannot write {path}: nobody reads this pipe, start its reader first"
            ) from error
        raise
    os.set_blocking(stream, True)
    return stream


def _own_output(path: Path) -> int | None:
    """A descriptor of this process's output if it goes to the file `path`, as by /dev/stdout."""
    if not path.exists():
        return None
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError):  # closed, or caught by a program around this one
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                stream.flush()
                return os.dup(stream.fileno())
    return None


def _check_place(path: Path) -> None:
    """Raise an OSError unless the file `path` can be replaced or made."""
    place = Path(os.path.realpath(path))
    if place.exists():
        place.open("ab").close()
    while not place.is_dir():
        place = place.parent
    _check_folder(place)


def _check_folder(folder: Path) -> None:
    """Raise an OSError unless files can be made there."""
    name = folder / _partial_name()
    file, named = _open_new(name)
    os.close(file)
    if named:
        name.unlink()


@contextmanager
def _folders_above(path: Path) -> Iterator[None]:
    """Make the missing folders of `path`; an error in the block removes them again."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # others may have filled them
            for folder in missing:
                folder.rmdir()
        raise


def _replace(path: Path, contents: memoryview) -> None:
    target = Path(os.path.realpath(path))
    name = target.with_name(_partial_name())
    with _folders_above(target):
        _replace_by(name, target, contents)


def _replace_by(name: Path, target: Path, contents: memoryview) -> None:
    """Write a file `name` and move it to `target`."""
    _remove_left(name.parent)
    file, named = _open_new(name)
    try:
        if target.exists():
            old = target.stat()
            with suppress(PermissionError):
                os.fchown(file, old.st_uid, old.st_gid)
            os.fchmod(file, stat.S_IMODE(old.st_mode))
        _write(file, contents)
        if not named:
            # Python follows the link only with a descriptor, idle beside an absolute path.
            os.link(f"/proc/self/fd/{file}", name, src_dir_fd=file, follow_symlinks=True)
        name.replace(target)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


def _partial_name() -> str:
    return f"{PARTIAL}{secrets.token_hex(8)}"


def _remove_left(folder: Path) -> None:
    """Remove what killed processes left there."""
    for left in folder.glob(PARTIAL + "[0-9a-f]" * 16):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _open_new(name: Path) -> tuple[int, bool]:
    """A new, locked file in the folder of `name`, and whether it has that name or none yet."""
    with suppress(OSError):
        if Path("/proc/self/fd").is_dir():
            file = os.open(name.parent, os.O_WRONLY | os.O_TMPFILE, 0o666)
            _lock(file)
            return file, False
    while True:
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        _lock(file)
        if os.fstat(file).st_nlink:
            return file, True
        os.close(file)  # another process took it for left before it was locked


def _lock(file: int) -> None:
    with suppress(OSError):  # nothing is removed where nothing can be locked
        fcntl.flock(file, fcntl.LOCK_EX)


def _write(file: int, contents: bytes | memoryview) -> None:
    rest = memoryview(contents)
    while rest:
        rest = rest[os.write(file, rest) :]
