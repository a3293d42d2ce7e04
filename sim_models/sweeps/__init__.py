"""Sweeps: every combination of what a file names, evaluated by the cycle model.

See docs/sweeps.md for the file, the columns of the results and the energy table.
"""
