"""Benches of what connects the cores."""
