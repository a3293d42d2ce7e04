"""Models: networks, attention maps, masks and pruning in float; the exact integer golden model."""
