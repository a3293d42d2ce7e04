"""Benches of linear layers."""
