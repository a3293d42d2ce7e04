"""Files whole or not at all, links followed, permissions kept.

The expectations are the operating system's: what it lists, and the modes and kinds that it gives.
"""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from rtl_gen import files
from rtl_gen.errors import UserError
from rtl_gen.files import append_to_file, check_writable, make_folder, replace_file

OLD, NEW = b"old", b"new contents\n"


@pytest.fixture(params=["files without a name", "named files"], autouse=True)
def _file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also as on file systems that know no O_TMPFILE."""
    if request.param == "named files":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield 0o027
    os.umask(old)


def write(path: Path, contents: bytes = NEW) -> None:
    with replace_file(path) as file:
        file.write(contents)


def kind_and_mode(path: Path) -> int:
    return path.lstat().st_mode


def run(code: str, *arguments: object, **options) -> subprocess.CompletedProcess:
    """A program in a process of its own that may write files of at most 4096 bytes."""
    limits = """
        import resource, signal, sys
        from pathlib import Path
        from rtl_gen import files
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    """
    program = textwrap.dedent(limits) + textwrap.dedent(code)
    words = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, check=False, timeout=60, **options)


def test_a_new_file_obeys_umask_in_folders_that_are_made(tmp_path: Path, umask: int):
    path = tmp_path / "a" / "b" / "file"
    write(path)
    assert path.read_bytes() == NEW
    assert kind_and_mode(path) == stat.S_IFREG | (0o666 & ~umask)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    path.chmod(mode)
    with path.open("rb") as reader:
        write(path)
        assert reader.read() == OLD  # replaced, not overwritten
    assert (path.read_bytes(), kind_and_mode(path)) == (NEW, stat.S_IFREG | mode)
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def fail(path: Path) -> None:
        with replace_file(path) as file:
            file.write(NEW)
            raise KeyboardInterrupt

    for place in (path, tmp_path / "folder" / "new"):
        with pytest.raises(KeyboardInterrupt):
            fail(place)
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_leads_to_what_is_replaced(tmp_path: Path, *, exists: bool):
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.parent.mkdir()
    if exists:
        target.write_bytes(OLD)
    link.symlink_to("elsewhere/target")
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("folder", "it is a folder, name a file"),
        ("file/below", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
        ("/proc/new", "cannot write /proc/new"),
        ("", "it is a folder"),
    ],
)
def test_places_that_are_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, message: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "loop").symlink_to("loop")
    listed = sorted(tmp_path.iterdir())
    path = Path(place)
    with pytest.raises(UserError, match=message) as refused, replace_file(path):
        pytest.fail("work was done")
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match=message):
        check_writable(path)
    assert sorted(tmp_path.iterdir()) == listed


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path):
    path = tmp_path / ("n" * 255)
    write(path)
    assert path.read_bytes() == NEW


def test_what_may_not_be_written():
    """By a process without root's rights, in a folder that it may enter."""
    code = """
        import os
        folder = Path(sys.argv[1])
        for path in (folder / "file", folder / "closed" / "new"):
            try:
                if os.getuid() == 0:
                    os.seteuid(65534)
                with files.replace_file(path):
                    print("work was done")
            except files.UserError as error:
                print(error)
    """
    with tempfile.TemporaryDirectory() as name:
        file, closed = Path(name, "file"), Path(name, "closed")
        file.write_bytes(OLD)
        file.chmod(0o444)
        closed.mkdir(mode=0o555)
        Path(name).chmod(0o755)
        found = run(code, name)
        assert found.stdout.decode().splitlines() == [
            f"cannot write {path} (Permission denied): choose another place"
            for path in (file, closed / "new")
        ], found.stderr
        assert file.read_bytes() == OLD
        assert list(closed.iterdir()) == []


@pytest.mark.parametrize("deadly", [False, True])
def test_a_full_disk_or_a_sudden_end_leaves_nothing(tmp_path: Path, *, deadly: bool):
    """A file grows beyond what its process may write: an error, or death amid the write."""
    code = """
        if sys.argv[2] == "True":
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        path = Path(sys.argv[1])
        try:
            with files.replace_file(path) as file:
                file.write(bytes(10_000))
        except files.UserError as error:
            print(error)
    """
    new, old = tmp_path / "a" / "new" / "file", tmp_path / "old"
    old.write_bytes(OLD)
    for path in (new, old):
        found = run(code, path, deadly)
        if deadly:
            assert found.returncode == -signal.SIGXFSZ
        else:
            assert found.returncode == 0
            assert found.stdout.decode().startswith(f"cannot write {path} (File too large)")
    assert sorted(tmp_path.iterdir()) == ([new.parent.parent, old] if deadly else [old])
    if deadly:
        assert list(new.parent.iterdir()) == []
    assert old.read_bytes() == OLD


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path):
    """The process dies when its file has a name, which is not yet the right one."""
    code = """
        import os
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        with files.replace_file(Path(sys.argv[1])) as file:
            file.write(b"x")
    """
    path, other = tmp_path / "file", tmp_path / "other"
    for _ in range(2):
        assert run(code, path).returncode == -signal.SIGKILL
        (left,) = tmp_path.iterdir()
        assert left.name.startswith(".")
    write(other)
    assert list(tmp_path.iterdir()) == [other]


def test_what_another_process_writes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One writes all of its file, and before it gets its name the other begins and ends."""
    first, second = tmp_path / "first", tmp_path / "second"
    move = Path.replace

    def write_second_meanwhile(name: Path, target: Path) -> None:
        monkeypatch.setattr(Path, "replace", move)
        write(second)
        move(name, target)

    monkeypatch.setattr(Path, "replace", write_second_meanwhile)
    write(first)
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_unchanged_file_is_not_written(tmp_path: Path):
    path = tmp_path / "new" / "a.v"
    assert files.write_if_changed(path, "module a; endmodule\n")
    written = path.stat().st_ino, path.stat().st_mtime_ns
    assert not files.write_if_changed(path, "module a; endmodule\n")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == written
    assert files.write_if_changed(path, "module b; // ±\n")
    assert path.read_bytes() == "module b; // ±\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_folders(tmp_path: Path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_bytes(OLD)
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/new")):
        with pytest.raises(UserError, match=f"cannot write {path} "):
            make_folder(path)


def test_appending(tmp_path: Path):
    path = tmp_path / "new" / "journal"
    append_to_file(path, b"1\n")
    append_to_file(path, b"2\n")
    assert path.read_bytes() == b"1\n2\n"
    with pytest.raises(UserError, match="it is a folder"):
        append_to_file(tmp_path, b"1\n")
