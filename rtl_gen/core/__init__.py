"""The core: every unit, wired."""
