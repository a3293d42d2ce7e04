"""Coverage of the hardware's sources by the co-simulations, in code and in function.

Code: which lines and branches of the Amaranth sources ever had an effect (`probes.py`). Function:
which commands ran on how many tokens, behind which pruning, on which memory, and what ended them
(`bins.py`). What is not covered stands in `explained.yaml` with its reason, or is listed.
"""
