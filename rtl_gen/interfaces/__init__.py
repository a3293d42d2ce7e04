"""Ground floor: layouts, ports, memories and the program format, below every unit."""
