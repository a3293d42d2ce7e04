"""Generator of the accelerator: configuration, number formats, command format and hardware."""

from rtl_gen.caches import move_libraries

move_libraries()
