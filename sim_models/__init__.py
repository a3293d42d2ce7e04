"""The cycle model.

Numba caches a compiled function by its own file alone, though it holds the constants and functions
that it imported. So the cache lies in a folder named after all the sources that a prediction
depends on: whoever changes a latency in rtl_gen gets it.
"""

import hashlib
from pathlib import Path

import numba

_ROOT = Path(__file__).parents[1]


def _source_digest() -> str:
    digest = hashlib.sha256()
    for folder in ("rtl_gen", "sim_models"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


numba.config.CACHE_DIR = str(_ROOT / "build" / "numba" / _source_digest())
