"""What a memory should hold, written in chunks."""

import random


class Words(list):
    """
    Parameters
    ----------
    depth, bits : of the words, which begin as zeros
    chunks : equal parts of a word that are written separately
    """

    def __init__(self, depth: int, bits: int, chunks: int):
        super().__init__([0] * depth)
        self.depth, self.bits, self.chunks = depth, bits, chunks

    def write(self, rng: random.Random, address: int, enable: int) -> dict[str, int]:
        """Random data into the chunks of `enable`; returns what does it at a write port."""
        data, size = rng.getrandbits(self.bits), self.bits // self.chunks
        for chunk in range(self.chunks):
            if enable >> chunk & 1:
                part = ((1 << size) - 1) << chunk * size
                self[address] = self[address] & ~part | data & part
        write = {"enable": enable != 0, "address": address, "data": data}
        return write | ({"chunks": enable} if self.chunks > 1 else {})
