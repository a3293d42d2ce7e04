"""The path that limits the clock of a design, whatever the flow."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """A design and its longest path."""

    frequency_mhz: float
    from_register: str
    to_register: str
    logic_levels: int
    """Cells between the two registers."""
    logic_ns: float
    """Delay in cells, set-up time of the last register included."""
    routing_ns: float
    """Delay on wires; 0 where there are none yet."""
    placed_mhz: float | None = None
    """Estimate after placement, before routing, where there is one."""
    remark: str = ""
    """What is different from the cells that were counted, if anything."""
