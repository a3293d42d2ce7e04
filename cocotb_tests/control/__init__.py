"""Benches of the control units."""
