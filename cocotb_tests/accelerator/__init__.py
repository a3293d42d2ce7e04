"""Co-simulation of the whole accelerator: a memory image in, output rows and counters out."""
