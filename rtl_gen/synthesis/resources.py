"""What a part of the design occupies on an ECP5, and what the device has."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass

DEVICE = "LFE5U-85F"


@dataclass(frozen=True)
class Resources:
    """Mapped cells."""

    luts: int = 0
    """LUT4: 4-input tables."""
    carries: int = 0
    """CCU2C: two bits of a carry chain, on two tables."""
    distributed_rams: int = 0
    """TRELLIS_DPR16X4: 16 words of 4 bits, on six tables."""
    flip_flops: int = 0
    """TRELLIS_FF."""
    multipliers: int = 0
    """MULT18X18D."""
    block_rams: int = 0
    """DP16KD: 18 Kbit."""

    @classmethod
    def from_cells(cls, cells: Mapping[str, int]) -> "Resources":
        """From the number of cells of each type, as Yosys counts them."""
        return cls(
            luts=cells.get("LUT4", 0),
            carries=cells.get("CCU2C", 0),
            distributed_rams=cells.get("TRELLIS_DPR16X4", 0),
            flip_flops=cells.get("TRELLIS_FF", 0),
            multipliers=cells.get("MULT18X18D", 0),
            block_rams=cells.get("DP16KD", 0),
        )

    @property
    def tables(self) -> int:
        """4-input tables, whatever they serve as."""
        return self.luts + 2 * self.carries + 6 * self.distributed_rams

    def __rmul__(self, copies: int) -> "Resources":
        return Resources(*(copies * cells for cells in astuple(self)))

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*map(sum, zip(astuple(self), astuple(other), strict=True)))


AVAILABLE = {"tables": 83640, "flip_flops": 83640, "multipliers": 156, "block_rams": 208}
"""Of a LFE5U-85F (Lattice FPGA-DS-02012, ECP5 and ECP5-5G Family Data Sheet)."""


def shortage(used: Resources) -> dict[str, tuple[int, int]]:
    """What the device has too little of: needed and available number by name."""
    return {
        name: (getattr(used, name), available)
        for name, available in AVAILABLE.items()
        if getattr(used, name) > available
    }
