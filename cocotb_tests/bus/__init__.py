"""Benches of the ports to memory and host, and memories for them to talk to."""
