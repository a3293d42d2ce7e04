"""The cycle model.

Numba caches a compiled function by its own file alone, though it holds the constants and functions
that it imported. So the cache lies in a folder named after all the sources that a prediction
depends on: whoever changes a latency in rtl_gen gets it.
"""

import hashlib
from pathlib import Path

import numba

from rtl_gen.caches import cache_folder, move_libraries

move_libraries()

_ROOT = Path(__file__).parents[1]


def source_digest(*patterns: str) -> str:
    """Hash of the project's files that match the patterns, tests aside."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(_ROOT.glob(pattern)):
            if not path.name.startswith("test_"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


_MODEL_SOURCES = ("rtl_gen/**/*.py", "sim_models/*.py")


CODE = source_digest(
    *_MODEL_SOURCES, "sim_models/sweeps/point.py", "model/*.py", "model/assets/*.npz"
)
"""Version of all that the result of a sweep's point depends on, as this process loaded it."""

numba.config.CACHE_DIR = str(cache_folder("numba") / source_digest(*_MODEL_SOURCES))
