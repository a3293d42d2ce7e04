"""The checksum of a program, by which the accelerator knows that it got what the compiler made.

It is CRC-32 as Ethernet (IEEE 802.3, clause 3.2.9), gzip and zlib have it: polynomial 0x04C11DB7,
the lowest bit of a byte first, register and result inverted. It goes over header, commands and
payloads as they are read, without the payload of a LOAD that says `input`, which the host replaces
from picture to picture. HALT's last bytes hold the sum of all that comes before them, so that the
sum over them as well is RESIDUE.

It finds any one or two wrong bits, any three in programs of up to 11 KB (Koopman, "32-bit cyclic
redundancy codes for Internet applications", DSN 2002) and any burst of up to 32 bits; of all other
damage, and of a wrong bit that moves HALT or makes a payload the host's, all but a share of 2^-32.
"""

import zlib

CHECKSUM_BITS = 32
CHECKSUM_BYTES = CHECKSUM_BITS // 8

RESIDUE = zlib.crc32(bytes(CHECKSUM_BYTES))
"""Of any bytes with their own sum, little-endian, behind them."""


def checksum(data: bytes, before: int = 0) -> int:
    """Of `data` behind bytes whose checksum is `before`."""
    return zlib.crc32(data, before)


def sealed(halt: bytes, before: int) -> bytes:
    """A HALT behind bytes whose checksum is `before`, with the sum in its last bytes."""
    record = halt[:-CHECKSUM_BYTES]
    return record + checksum(record, before).to_bytes(CHECKSUM_BYTES, "little")


def register_of(value: int) -> int:
    """The register of a CRC's hardware where the checksum is `value`."""
    return ~value & (1 << CHECKSUM_BITS) - 1


def contributions(size: int) -> list[int]:
    """What each bit of `size` bytes, 4 or more, adds to the register behind them.

    The register behind is the sum (XOR) over the bits that are set. Those of the register before
    count like the bits of the same number in the bytes.
    """
    zeros = checksum(bytes(size))
    return [checksum((1 << bit).to_bytes(size, "little")) ^ zeros for bit in range(8 * size)]
