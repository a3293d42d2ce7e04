"""Synthesis for Lattice ECP5 with open tools: Yosys maps, nextpnr places and routes."""
