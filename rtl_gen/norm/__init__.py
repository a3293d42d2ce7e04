"""LayerNorm: statistics beside the residual writes, then one pass over the live tokens."""
