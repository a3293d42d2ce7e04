"""Benches of LayerNorm and its parts."""
