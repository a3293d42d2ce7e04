"""Linear layers on the MAC array: weight-stationary, streaming live tokens."""
