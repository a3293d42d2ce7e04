"""Cases that compare the cycle model with the RTL, and their results."""
