"""Bench of the sequencer's refusals."""
