"""Benches of the top-k sorter and the live-token list."""
