"""What must hold of a program before its first command: its address, its header."""

from collections.abc import Mapping

from amaranth.hdl import Mux, Value, ValueLike
from amaranth.lib.data import View
from amaranth.utils import exact_log2

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import ADDRESS_BITS
from rtl_gen.interfaces.program import MAGIC, VERSION, ErrorCode, record_bytes


def first_error(conditions: Mapping[ErrorCode, ValueLike]) -> Value:
    """The first code whose condition holds, or NONE."""
    error = ErrorCode.NONE
    for code, condition in reversed(conditions.items()):
        error = Mux(condition, code, error)
    return error


def room_behind(config: AcceleratorConfig, address: Value) -> Value:
    """Bytes from the end of a header at `address` to the end of memory; negative: none."""
    return (1 << ADDRESS_BITS) - record_bytes(config) - address


def start_problem(config: AcceleratorConfig, address: Value) -> Value:
    """The error of a program at `address`."""
    inside_beat = address[: exact_log2(config.bus_bytes)].any()
    return first_error(
        {
            ErrorCode.NOT_ALIGNED: inside_beat,
            ErrorCode.COUNT_OUT_OF_RANGE: room_behind(config, address) < 0,
        }
    )


def header_problem(config: AcceleratorConfig, header: View, room: Value) -> Value:
    """The error of a header with `room` bytes behind it."""
    return first_error(
        {
            ErrorCode.BAD_MAGIC: header.magic != MAGIC,
            ErrorCode.BAD_VERSION: header.version != VERSION,
            ErrorCode.BAD_CONFIG: header.digest != int(config.digest(), 16),
            ErrorCode.COUNT_OUT_OF_RANGE: header.rows > room >> exact_log2(config.width),
        }
    )
