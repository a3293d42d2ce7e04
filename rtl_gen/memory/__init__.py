"""On-chip memories and the loader that fills them through the memory port."""
