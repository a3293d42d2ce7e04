"""The command format: what a program in memory is made of.

A command is COMMAND_BYTES long, little-endian, its first field in the low bits. In memory, commands
stand `command_pitch` bytes apart, so that none shares a beat of the memory port with another.

| opcode     | meaning                                                                    |
| HALT       | the program is done                                                        |
| SET_TOKENS | tokens 0 .. count - 1 become live; importance sums become 0                |
| LOAD       | `count` words from `address` into memory `target`, from its word 0 on      |
| ATTEND     | one head over the live tokens with the loaded Q, K, V and mask; writes int8 |
|            | rows to address + token * width; `accumulate` adds to the importance sums   |
| PRUNE      | the `count` most important live tokens stay; importance sums become 0      |

`count` is in tokens (SET_TOKENS, PRUNE) or in words of the target: rows for Q, K and V, mask words (one
or more mask rows, see the configuration) for MASK. Addresses are in bytes and whole beats.
"""

from amaranth.hdl import unsigned
from amaranth.lib import enum
from amaranth.lib.data import StructLayout

from rtl_gen.common.layouts import scale_layout
from rtl_gen.config import AcceleratorConfig

COMMAND_BYTES = 32
ADDRESS_BITS = 32
COUNT_BITS = 16


class Opcode(enum.IntEnum, shape=8):
    HALT = 0
    SET_TOKENS = 1
    LOAD = 2
    ATTEND = 3
    PRUNE = 4


class Target(enum.IntEnum, shape=2):
    """Memory that LOAD fills."""

    QUERY = 0
    KEY = 1
    VALUE = 2
    MASK = 3


class ErrorCode(enum.IntEnum, shape=4):
    """Why the sequencer stopped."""

    NONE = 0
    ILLEGAL_OPCODE = 1
    COUNT_OUT_OF_RANGE = 2
    ADDRESS_NOT_ALIGNED = 3
    NO_TOKENS = 4


COMMAND = StructLayout(
    {
        "opcode": unsigned(8),
        "target": Target,
        "accumulate": 1,
        "reserved": unsigned(5),
        "count": unsigned(COUNT_BITS),
        "address": unsigned(ADDRESS_BITS),
        "score": scale_layout(),
        "output": scale_layout(),
    }
)


def command_pitch(config: AcceleratorConfig) -> int:
    """Distance of two commands in memory, in bytes."""
    return max(COMMAND_BYTES, config.bus_bytes)


def command_beats(config: AcceleratorConfig) -> int:
    """Beats of the memory port that a command takes."""
    return command_pitch(config) // config.bus_bytes


def load_limit(config: AcceleratorConfig, target: Target) -> int:
    """Words of a target memory: the largest `count` of its LOAD."""
    return config.mask_depth if target == Target.MASK else config.max_tokens


def word_bytes(config: AcceleratorConfig, target: Target) -> int:
    """Bytes in memory of one word of a target."""
    return config.mask_word_bytes if target == Target.MASK else config.width
