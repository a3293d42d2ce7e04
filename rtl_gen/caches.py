"""Where caches lie: in folders that this user may write, whoever that is.

In the project's tree that is build/, so that `make clean` removes them; elsewhere, or if the tree
is read-only, the user's own folder of caches, or else one among the temporary files.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

PROJECT = Path(__file__).parents[1]
NAME = "sparse-vit-accelerator"


def cache_folder(name: str) -> Path:
    """Where the cache of a name is or can be made; what lies in it may vanish between two runs.

    If this user can write nothing at all, it is where it cannot be made.
    """
    tree = PROJECT / "build" / name
    if (PROJECT / "pyproject.toml").is_file() and _writable(tree):
        return tree
    home = _home("XDG_CACHE_HOME", ".cache")
    if home is not None and _writable(home / NAME / name):
        return home / NAME / name
    temporary = _temporary()
    return tree if temporary is None else temporary / name


def _writable(folder: Path) -> bool:
    """Whether this user may write into a folder, or make it."""
    for place in (folder, *folder.parents):
        if os.access(place, os.F_OK):
            return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False


def move_libraries() -> None:
    """Give libraries that keep caches at home another place, where home cannot be written.

    Matplotlib, the Hugging Face Hub, PyTorch and nextpnr look once: call this before their import.
    """
    if _home("XDG_CACHE_HOME", ".cache") is None:
        os.environ["XDG_CACHE_HOME"] = str(cache_folder("home"))
        os.environ.setdefault("MPLCONFIGDIR", str(cache_folder("matplotlib")))
    elif _home("XDG_CONFIG_HOME", ".config") is None:
        os.environ.setdefault("MPLCONFIGDIR", str(cache_folder("matplotlib")))


def _home(variable: str, default: str) -> Path | None:
    """A user's folder by the XDG Base Directory Specification, if it can be written."""
    try:
        folder = Path(os.environ.get(variable) or Path.home() / default)
    except RuntimeError:  # This user has no home.
        return None
    return folder if folder.is_absolute() and _writable(folder) else None


def _temporary() -> Path | None:
    """A folder of this user's among the temporary files; a new one if its name is another's."""
    try:
        folder = Path(tempfile.gettempdir()) / f"{NAME}-{os.geteuid()}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if ours and not status.st_mode & 0o022:
            return folder
        return Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
    except OSError:
        return None
