"""Benches of the memories and of what moves rows between them and the memory port."""
