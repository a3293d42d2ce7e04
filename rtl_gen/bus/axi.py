"""The two buses of the accelerator: AXI4 to memory, AXI4-Lite for its registers.

Signal names are those of the AMBA AXI specification (ARM IHI 0022) in lower case. Signatures are
written from the manager's side: a manager has an `Out` member, a subordinate an `In` member.
Nothing that this project drives on a bus depends combinationally on what it receives there.

AXI4 carries `bus_bytes` bytes a beat in INCR bursts of whole beats, all with ID 0.
"""

from amaranth.hdl import Module
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.config import AcceleratorConfig

ID_BITS = 1

BURST_BEATS = 16
"""Longest burst. Bursts also end at multiples of it, so that none crosses a 4 KB boundary."""

LITE_DATA_BITS = 32


class Response(enum.IntEnum, shape=2):
    """RRESP and BRESP."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


class Burst(enum.IntEnum, shape=2):
    """ARBURST and AWBURST."""

    FIXED = 0
    INCR = 1
    WRAP = 2


class Cache(enum.IntEnum, shape=4):
    """ARCACHE and AWCACHE."""

    NORMAL_NON_CACHEABLE_NON_BUFFERABLE = 0b0010
    NORMAL_NON_CACHEABLE_BUFFERABLE = 0b0011


CACHE = {
    "ar": Cache.NORMAL_NON_CACHEABLE_BUFFERABLE,
    "aw": Cache.NORMAL_NON_CACHEABLE_NON_BUFFERABLE,
}
"""By address channel. A write is answered by memory itself, not by a buffer on the way: what an
interrupt announces is there for every reader."""


class Protection(enum.IntFlag, shape=3):
    """ARPROT and AWPROT; none is a secure, unprivileged access to data."""

    PRIVILEGED = 1
    NON_SECURE = 2
    INSTRUCTION = 4


def read_signature(config: AcceleratorConfig) -> wiring.Signature:
    """AXI4 read channels AR and R."""
    return wiring.Signature(
        {
            **_address_channel("ar", config.address_bits),
            "rid": In(ID_BITS),
            "rdata": In(8 * config.bus_bytes),
            "rresp": In(2),
            "rlast": In(1),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


def write_signature(config: AcceleratorConfig) -> wiring.Signature:
    """AXI4 write channels AW, W and B."""
    return wiring.Signature(
        {
            **_address_channel("aw", config.address_bits),
            "wdata": Out(8 * config.bus_bytes),
            "wstrb": Out(config.bus_bytes),
            "wlast": Out(1),
            "wvalid": Out(1),
            "wready": In(1),
            "bid": In(ID_BITS),
            "bresp": In(2),
            "bvalid": In(1),
            "bready": Out(1),
        }
    )


def lite_signature(address_bits: int) -> wiring.Signature:
    """AXI4-Lite with 32-bit data, all five channels."""
    return wiring.Signature(
        {
            "awaddr": Out(address_bits),
            "awprot": Out(3),
            "awvalid": Out(1),
            "awready": In(1),
            "wdata": Out(LITE_DATA_BITS),
            "wstrb": Out(LITE_DATA_BITS // 8),
            "wvalid": Out(1),
            "wready": In(1),
            "bresp": In(2),
            "bvalid": In(1),
            "bready": Out(1),
            "araddr": Out(address_bits),
            "arprot": Out(3),
            "arvalid": Out(1),
            "arready": In(1),
            "rdata": In(LITE_DATA_BITS),
            "rresp": In(2),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


def burst_attributes(config: AcceleratorConfig, channel: str) -> dict[str, int]:
    """What is the same for every burst on address channel "ar" or "aw", by signal name."""
    return {
        f"{channel}id": 0,
        f"{channel}size": exact_log2(config.bus_bytes),
        f"{channel}burst": Burst.INCR,
        f"{channel}lock": 0,
        f"{channel}cache": CACHE[channel],
        f"{channel}prot": 0 if config.secure else Protection.NON_SECURE,
        f"{channel}qos": 0,
    }


def flat_ports(name: str, signature: wiring.Signature) -> dict[str, wiring.Member]:
    """The bus as ports `name_araddr` and so on, by which tools recognise it on a top level."""
    return {f"{name}_{member}": kind for member, kind in signature.members.items()}


def connect_flat(m: Module, top: wiring.Component, name: str, bus) -> None:
    """Connect a submodule's `bus` to the ports that `flat_ports` gave to `top`."""
    for member, kind in bus.signature.members.items():
        inside, outside = getattr(bus, member), getattr(top, f"{name}_{member}")
        m.d.comb += outside.eq(inside) if kind.flow is Out else inside.eq(outside)


def _address_channel(name: str, address_bits: int) -> dict[str, wiring.Member]:
    return {
        f"{name}id": Out(ID_BITS),
        f"{name}addr": Out(address_bits),
        f"{name}len": Out(8),
        f"{name}size": Out(3),
        f"{name}burst": Out(2),
        f"{name}lock": Out(1),
        f"{name}cache": Out(4),
        f"{name}prot": Out(3),
        f"{name}qos": Out(4),
        f"{name}valid": Out(1),
        f"{name}ready": In(1),
    }
