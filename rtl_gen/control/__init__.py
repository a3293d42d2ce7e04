"""Program format, dispatcher of its commands, and the registers of the host."""
