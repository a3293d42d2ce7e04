"""Search for the pruning schedule of fewest cycles that loses no more than it may."""
