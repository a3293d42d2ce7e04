"""A system on chip: a RISC-V processor whose firmware drives an accelerator, in simulation."""
