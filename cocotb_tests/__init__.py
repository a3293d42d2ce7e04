"""Co-simulation benches, laid out as `rtl_gen`, and the commands that run networks in RTL."""

from rtl_gen.caches import move_libraries

move_libraries()
