"""Benches of the building blocks, and the driver for fixed-latency pipelines."""
