"""The whole network in integers: its parameters, its golden model and random small instances."""
