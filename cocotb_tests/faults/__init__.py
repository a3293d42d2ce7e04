"""Fault injection: one bit flips while a small network runs, and what becomes of the results.

After the usual classes of such campaigns (Mukherjee et al., "A systematic methodology to compute
the architectural vulnerability factors", MICRO 2003): *detected* by an error code, *masked* if the
results are right, *hang* if there is no end, *silent* if they are wrong and nothing says so.
"""
