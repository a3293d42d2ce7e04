"""Benches of mean pooling."""
