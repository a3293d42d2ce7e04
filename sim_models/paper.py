"""What the paper evaluated, and its result."""

SPARSITIES = (0.5, 0.6, 0.7, 0.8)
"""Of attention, on every DeiT."""

PAPER_SPEEDUP = 1.31
"""End to end, by token pruning on top of sparse attention: mean over networks and sparsities."""
