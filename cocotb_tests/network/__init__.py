"""Whole networks on the RTL, from a memory image to logits."""
