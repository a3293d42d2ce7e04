"""Co-simulation benches, laid out as `rtl_gen`."""

from rtl_gen.caches import move_libraries

move_libraries()
