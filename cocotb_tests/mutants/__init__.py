"""Mutation testing of the hardware: would the benches notice if an operator were another one?

After DeMillo, Lipton and Sayward, "Hints on test data selection" (IEEE Computer 1978). A mutant is
a unit's module with one operator replaced, in memory. Its own bench runs on it, on Icarus; if every
test passes the mutant survives: either the benches have a hole, or the change makes no difference.
"""
