"""Benches of the attention units."""
