"""What leaves the generator: Verilog, and what a flow needs beside it."""
