"""The cycle model.

Numba caches a compiled function by its own file alone, though it holds the constants and functions
that it imported. So the cache lies in a folder named after all the sources that compiled functions
depend on: whoever changes a latency in rtl_gen gets it.
"""

import numba

from rtl_gen.caches import cache_folder, move_libraries
from sim_models.sources import digest_of

move_libraries()

COMPILED = ("sim_models.attention", "sim_models.memory", "sim_models.program")
"""Modules with functions that Numba compiles."""

CODE = digest_of("sim_models.sweeps.point")
"""Version of all that the result of a sweep's point depends on, as this process loaded it."""

numba.config.CACHE_DIR = str(cache_folder("numba") / digest_of(*COMPILED))  # type: ignore[attr-defined]
