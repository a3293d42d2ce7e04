"""What must hold of a program before its first command: its address, its header.

All of a program lies in pages that it may be read from.
"""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Mux, Value, ValueLike
from amaranth.lib.data import View
from amaranth.utils import exact_log2

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import PAGE_BITS
from rtl_gen.interfaces.program import MAGIC, VERSION, ErrorCode, record_bytes


def first_error(conditions: Mapping[ErrorCode, ValueLike]) -> Value:
    """The first code whose condition holds, or NONE."""
    error = ErrorCode.NONE
    for code, condition in reversed(conditions.items()):
        error = Mux(condition, code, error)
    return error


def room_behind(config: AcceleratorConfig, address: Value, pages: View) -> Value:
    """Bytes from the end of a header at `address` to the end of the last page; negative: none."""
    last_header = Cat(Const((1 << PAGE_BITS) - record_bytes(config), PAGE_BITS), pages.last)
    return last_header - address


def start_problem(config: AcceleratorConfig, address: Value, pages: View) -> Value:
    """The error of a program at `address`."""
    inside_beat = address[: exact_log2(config.bus_bytes)].any()
    outside = (address[PAGE_BITS:] < pages.first) | (room_behind(config, address, pages) < 0)
    return first_error({ErrorCode.NOT_ALIGNED: inside_beat, ErrorCode.OUT_OF_BOUNDS: outside})


def header_problem(config: AcceleratorConfig, header: View, room: Value) -> Value:
    """The error of a header with `room` bytes behind it."""
    return first_error(
        {
            ErrorCode.BAD_MAGIC: header.magic != MAGIC,
            ErrorCode.BAD_VERSION: header.version != VERSION,
            ErrorCode.BAD_CONFIG: header.digest != int(config.digest(), 16),
            ErrorCode.OUT_OF_BOUNDS: header.rows > room >> exact_log2(config.width),
        }
    )
