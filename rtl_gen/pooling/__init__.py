"""Mean pooling: the residual stream of the live tokens becomes one token's."""
