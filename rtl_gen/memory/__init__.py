"""On-chip memories, and what moves rows between them and the AXI4 bus."""
