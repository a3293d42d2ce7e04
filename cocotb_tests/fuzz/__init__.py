"""Fuzzing: damaged programs for the hardware, damaged files and arguments for the commands.

`python -m cocotb_tests.fuzz` draws all of it from one seed; see `__main__.py`.
"""
