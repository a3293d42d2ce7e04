"""Models: networks, attention maps, masks and pruning in float; the exact integer golden model."""

from rtl_gen.caches import move_libraries

move_libraries()
