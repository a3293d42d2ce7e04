"""Command format and the sequencer that executes a program from memory."""
