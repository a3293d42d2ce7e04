"""What leaves the generator: Verilog and the manifest beside it."""
