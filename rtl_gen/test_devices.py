"""Devices, pipes and this process's own output get the bytes, and stay what they are."""

import os
import stat
import subprocess
import sys
import textwrap
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from rtl_gen.errors import UserError
from rtl_gen.files import append_to_file, check_writable, replace_file

CONTENTS = b"some contents\n"


def write(path: Path, contents: bytes = CONTENTS) -> None:
    with replace_file(path) as file:
        file.write(contents)


def kind_and_mode(path: Path) -> int:
    return path.lstat().st_mode


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_gets_the_bytes_and_stays(tmp_path: Path, *, linked: bool):
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    path = pipe
    if linked:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    contents = CONTENTS * 100_000  # more than a pipe holds
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)

    def read() -> None:
        with os.fdopen(reader, "rb") as file:
            found.append(file.read())

    thread = threading.Thread(target=read)
    with replace_file(path) as file:
        thread.start()
        file.write(contents)
    thread.join(timeout=60)
    assert found == [contents]
    assert stat.S_ISFIFO(kind_and_mode(pipe))


def test_a_pipe_without_a_reader_is_refused_before_the_work(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="nobody reads this pipe"), replace_file(pipe):
        pytest.fail("work was done")
    with pytest.raises(UserError, match="it is no file"):
        append_to_file(pipe, CONTENTS)
    assert stat.S_ISFIFO(kind_and_mode(pipe))


def make_node(path: Path, kind: int, device: int) -> None:
    try:
        os.mknod(path, kind | 0o666, device)
    except PermissionError:
        pytest.skip("only root makes devices")


def test_a_device_stays_a_device(tmp_path: Path):
    null = tmp_path / "null"
    make_node(null, stat.S_IFCHR, os.makedev(1, 3))
    mode = kind_and_mode(null)
    with suppress(UserError):  # on a file system that knows no devices
        write(null)
    assert kind_and_mode(null) == mode
    assert list(tmp_path.iterdir()) == [null]


def test_a_disk_is_not_written_to(tmp_path: Path):
    disk = tmp_path / "disk"
    make_node(disk, stat.S_IFBLK, os.makedev(7, 250))
    for refuse in (check_writable, write):
        with pytest.raises(UserError, match="it is a disk, name a file"):
            refuse(disk)


def test_a_full_device(tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to("/dev/full")
    with pytest.raises(UserError, match="No space left on device"):
        write(link)
    assert stat.S_ISCHR(link.stat().st_mode)


@pytest.mark.parametrize("redirected", ["to a file", "to a pipe"])
def test_own_output(tmp_path: Path, redirected: str):
    code = """
        print("before")
        with files.replace_file(Path(sys.argv[1])) as file:
            file.write(b"contents\\n")
        print("after")
    """
    program = "import sys\nfrom pathlib import Path\nfrom rtl_gen import files\n"
    words = [sys.executable, "-c", program + textwrap.dedent(code)]
    path, standard_output = tmp_path / "output", tmp_path / "stdout"
    standard_output.symlink_to("/proc/self/fd/1")  # not /dev/stdout, lest a fault destroys it
    if redirected == "to a pipe":
        found = subprocess.run([*words, standard_output], capture_output=True, check=True).stdout
        assert found == b"before\ncontents\nafter\n"
    else:
        for name in (standard_output, path):
            with path.open("wb") as file:
                subprocess.run([*words, name], stdout=file, check=True)
            assert path.read_bytes() == b"before\ncontents\nafter\n"
    assert standard_output.is_symlink()
