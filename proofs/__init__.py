"""Proofs: properties of the units that hold for all inputs, not only for those of a test.

A `Proof` (`proof.py`) is a claim about a unit, a `Harness` (`harness.py`) that states it, and how
far it goes: for ever, by induction, or for every input of so many cycles. `solver.py` turns the
harness into an and-inverter graph with Yosys and asks ABC, both of which come with `pyosys`.

`rules/` says what the buses and streams demand, each rule from its specification. The same rules
are proved here and watch every simulation of the whole accelerator
(`cocotb_tests/network/system.py`).
"""
