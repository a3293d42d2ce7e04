"""The ports to memory and host: AXI4, AXI4-Lite, and rows between them and the core."""
