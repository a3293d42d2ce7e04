"""Cascade token pruning (SpAtten, HPCA 2021): importance of tokens, and schedules."""
