"""The parts of calibration: samples of a float network's tensors, and integers made from them."""
