"""Masked attention of one head: mask rows to beats, scores, softmax, PV and importance sums."""
