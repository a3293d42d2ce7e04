"""The files of the project that a module depends on: itself and all that it imports, and theirs.

Import statements are read, not run, wherever they stand in a file. Data that come with a package
lie in its folder `assets` and count with the package.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("rtl_gen", "model", "sim_models")
"""The project's, of which the cycle model is made; where they are installed, others' lie beside."""

ASSETS = "assets"


def sources_of(*modules: str, root: Path = ROOT) -> list[Path]:
    """Files below `root` that the modules depend on, sorted; those of PACKAGES alone."""
    found: dict[str, Path] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        path = None if name in found else _file(root, name)
        if path is not None:
            found[name] = path
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            pending += [name.rpartition(".")[0], *_imports(package, path.read_bytes())]
    folders = {path.parent / ASSETS for path in found.values() if path.name == "__init__.py"}
    assets = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return sorted({*found.values(), *assets})


def digest_of(*modules: str, root: Path = ROOT) -> str:
    """Hash of all that the modules depend on: names and contents."""
    digest = hashlib.sha256()
    for path in sources_of(*modules, root=root):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:12]


def _file(root: Path, module: str) -> Path | None:
    """Where a module or a package of the project is."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    place = root.joinpath(*module.split("."))
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(package: str, text: bytes) -> list[str]:
    """What a module of a package imports; a name out of a module may be a module or not."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            above = parents[: len(parents) + 1 - node.level] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            names += [start, *(f"{start}.{alias.name}" for alias in node.names)]
    return names
