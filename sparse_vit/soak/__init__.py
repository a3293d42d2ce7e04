"""A soak: random configurations, networks, memories and damage for hours, each from its seed."""
