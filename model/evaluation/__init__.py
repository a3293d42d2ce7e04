"""What sparsity, pruning and integers cost in accuracy, on the same images as the dense network."""
