"""Benches of the on-chip memories."""
