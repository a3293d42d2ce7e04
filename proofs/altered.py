"""Imports a module of the hardware with its text altered, to see that a check would notice.

Only in a process of its own: whoever imports the module afterwards gets the altered one.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from pathlib import Path


class _AlteredLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, text: str):
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str):
        return compile(self._text, self.path, "exec", dont_inherit=True)


class _AlteredFinder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, path: str, text: str):
        self._name, self._path, self._text = name, path, text

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self._name:
            return None
        loader = _AlteredLoader(fullname, self._path, self._text)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


def source_of(name: str) -> Path:
    """The file of a module; neither it nor the packages that it lies in are imported."""
    top, *inside = name.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {name}")
    place = Path(spec.origin).parent.joinpath(*inside)
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.exists():
            return path
    raise ModuleNotFoundError(f"no module {name}")


def alter(name: str, text: str) -> None:
    """From now on the module `name` is what `text` says.

    Raises RuntimeError if it is imported already.
    """
    path = source_of(name)
    if name in sys.modules:
        raise RuntimeError(f"{name} is imported already: its text cannot change")
    sys.meta_path.insert(0, _AlteredFinder(name, str(path), text))


def replaced(name: str, old: str, new: str) -> str:
    """The text of a module with the one occurrence of `old` replaced.

    Raises ValueError unless there is exactly one.
    """
    text = source_of(name).read_text()
    if text.count(old) != 1:
        raise ValueError(f"{name} has {text.count(old)} times {old!r}: expected one")
    return text.replace(old, new)
