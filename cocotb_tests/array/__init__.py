"""Bench of the MAC array."""
