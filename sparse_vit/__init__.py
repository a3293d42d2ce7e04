"""For users: whole networks in RTL, their digits, a demonstration, and the cycle model's error."""

from rtl_gen.caches import move_libraries

move_libraries()
