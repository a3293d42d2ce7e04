"""Fuzzing: damaged programs for the hardware, damaged files and arguments for the commands.

`sparse-vit fuzz` draws all of it from one seed; see `command.py`.
"""
