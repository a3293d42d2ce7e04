"""Linters that the Verilog of an accelerator has to pass."""
