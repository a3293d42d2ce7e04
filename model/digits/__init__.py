"""Handwritten digits: the data and the training of `vit_digits`."""
