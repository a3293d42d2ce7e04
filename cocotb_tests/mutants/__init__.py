"""Mutation testing: would the tests notice if an operator, a constant or a statement were another?

After DeMillo, Lipton and Sayward, "Hints on test data selection" (IEEE Computer 1978), and Offutt's
statement deletion. A mutant is a module with one place changed, in memory: of the hardware what
`elaborate` makes of it, of the golden model, the compiler and the cycle model every function. Tests
run on it from the nearest to the widest; if all pass, the mutant survives: either the tests have a
hole, or the change makes no difference (`equivalent.yaml`).
"""
