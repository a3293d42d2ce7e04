"""Small building blocks that every unit shares: delays, pipelined trees, queues and layouts."""
