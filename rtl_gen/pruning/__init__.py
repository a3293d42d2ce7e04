"""Cascade token pruning: which tokens stay (`topk`) and where they are (`live_tokens`)."""
