"""LOAD and STORE: rows between the program, memory and the memories on the chip."""
