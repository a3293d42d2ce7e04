"""The configuration object that feeds the RTL, the compiler, the golden model and the cycle model.

`AcceleratorConfig` holds the choices; its properties derive every width and size once, so that no
module recomputes one. Instances with names are in rtl_gen/presets.py.

A choice that programs do not depend on is an `any_program` field: the digest, by which hardware
knows its programs, leaves it out.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from rtl_gen import numerics
from rtl_gen.errors import UserError

MAX_DIM = 4096
"""Most channels of a token: LayerNorm's scale D / (16 * step) then fits its format for steps above
1/64, and an accumulator holds the FFN's 4 D products of two int8."""

SWITCHES = "secure", "parity"
"""Choices that are 0 or 1."""

LANES = 2, 16
"""Fewest and most lanes of an array."""

_ANY_PROGRAM = "any_program"


def any_program(default: Any) -> Any:
    """The field of a choice whose value makes no difference to a program, not in a single bit."""
    return dataclasses.field(default=default, metadata={_ANY_PROGRAM: True})


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """What can be chosen about one accelerator. Sizes in bytes, tokens or channels as named."""

    lanes: int = 8
    """Rows of the MAC array; token j lives in bank j mod lanes. Power of two, 2 to 16."""
    width: int = 64
    """int8 multipliers a lane = channels of a row = the largest head dimension. Power of two, 8 to
    128."""
    max_tokens: int = 198
    """Most tokens of a network, those in front of the patches included."""
    max_heads: int = 12
    """Most heads of a layer: bounds the importance sums."""
    max_dim: int = 768
    """Most channels of a token; a multiple of `width`, up to MAX_DIM. Patches, the FFN's hidden
    channels and classes may be four times as many."""
    cores: int = 1
    """Images at a time: copies of the array, its units and memories, on one program stream. Power
    of two, 1 to 8."""
    bus_bytes: int = any_program(64)
    """Bytes a cycle of the memory port. Power of two, from `lanes` to `width`."""
    row_slots: int = any_program(16)
    """Query rows in flight between QK^T and PV, which hides the softmax latency. Power of two."""
    stream_beats: int = any_program(128)
    """Beats that the program stream is read ahead; more than the memory's latency. Power of two."""
    frequency_mhz: int = any_program(500)
    """Clock assumed when cycles are turned into time."""
    address_bits: int = any_program(32)
    """Bits of a byte address of memory, 32 or 40. A program and its results take 4 GB at most in
    either."""
    secure: int = any_program(0)
    """1 if the memory port makes secure accesses (AxPROT), 0 for non-secure ones."""
    parity: int = any_program(0)
    """1 if memories on the chip have parity, at no cycle's cost: a wrong word that is read ends the
    program with BAD_PARITY. They must be of even parity at power-up, as zeros are."""

    def __post_init__(self):
        for name, value in self.as_dict().items():
            if name in SWITCHES:
                if type(value) is not int or value not in (0, 1):
                    raise UserError(f"{name} = {value!r}: expected 0 or 1")
            elif type(value) is not int or value < 1:
                raise UserError(f"{name} = {value!r}: expected a positive integer")
        if self.address_bits not in (32, 40):
            raise UserError(f"address_bits = {self.address_bits}: expected 32 or 40")
        check_power_of_two("lanes", self.lanes, *LANES)
        check_power_of_two("width", self.width, 8, 128)
        check_power_of_two("cores", self.cores, 1, 8)
        check_power_of_two("row_slots", self.row_slots, 2, 32)
        check_power_of_two("bus_bytes", self.bus_bytes, self.lanes, self.width)
        check_power_of_two("stream_beats", self.stream_beats, 16, 1024)
        if 2 * self.lanes > self.width:
            raise UserError(f"lanes = {self.lanes}: expected at most half of width = {self.width}")
        if self.max_tokens > 1024:
            raise UserError(f"max_tokens = {self.max_tokens}: expected at most 1024")
        if self.max_tokens < 2 * self.lanes:
            raise UserError(
                f"max_tokens = {self.max_tokens}: expected at least two words of {self.lanes} lanes"
            )
        if self.max_dim % self.width or self.max_dim > MAX_DIM:
            raise UserError(
                f"max_dim = {self.max_dim}: expected a multiple of width = {self.width}, "
                f"at most {MAX_DIM}"
            )
        if self.max_heads > 64:
            raise UserError(f"max_heads = {self.max_heads}: expected at most 64")
        if self.importance_bits > numerics.STORED_IMPORTANCE_BITS:
            raise UserError(
                f"max_tokens = {self.max_tokens} with max_heads = {self.max_heads}: the importance "
                f"of a token exceeds {numerics.STORED_IMPORTANCE_BITS} bits, choose fewer of either"
            )

    # Sizes -----------------------------------------------------------------------------------

    @property
    def macs(self) -> int:
        """Multipliers of a core's array."""
        return self.lanes * self.width

    @property
    def bank_depth(self) -> int:
        """Tokens of one bank = words of `lanes` tokens = most beats of a row."""
        return -(-self.max_tokens // self.lanes)

    @property
    def row_bits(self) -> int:
        """One row of int8 channels: a query, key, value or output of one head."""
        return 8 * self.width

    @property
    def row_beats(self) -> int:
        """Beats of the memory port that carry one row of `width` bytes."""
        return self.width // self.bus_bytes

    @property
    def mask_bytes(self) -> int:
        """Distance of two mask rows in memory: one bit a token, rounded up to a power of two."""
        return 1 << (-(-self.max_tokens // 8) - 1).bit_length()

    @property
    def chunks(self) -> int:
        """Parts of a row that are written separately: `lanes` bytes each."""
        return self.width // self.lanes

    def channel_rows(self, channels: Any) -> Any:
        """Rows of `width` channels that hold so many, the last one filled up; for integers and for
        values of the hardware.
        """
        return (channels + self.width - 1) >> (self.width.bit_length() - 1)

    @property
    def output_columns(self) -> int:
        """Columns of a finished PV row that are requantised a cycle."""
        return 2 * self.lanes

    @property
    def norm_channels(self) -> int:
        """16-bit channels of a row of the residual memory = channels a cycle of LayerNorm."""
        return self.width // 2

    @property
    def norm_groups(self) -> int:
        """Most cycles that LayerNorm spends on a token."""
        return self.max_dim // self.norm_channels

    @property
    def hidden_dim(self) -> int:
        """Most channels that a token has in the hidden memory, and most of a linear layer."""
        return 4 * self.max_dim

    @property
    def importance_word_rows(self) -> int:
        """Rows of `width` bytes that a STORE of `lanes` importance sums takes."""
        return -(-self.lanes * numerics.STORED_IMPORTANCE_BITS // self.row_bits)

    @property
    def mask_word_bytes(self) -> int:
        """A word of the mask memory: `width` bytes, or a mask row if that is longer."""
        return max(self.width, self.mask_bytes)

    @property
    def mask_word_bits(self) -> int:
        return 8 * self.mask_word_bytes

    @property
    def rows_per_mask_word(self) -> int:
        return self.mask_word_bytes // self.mask_bytes

    # Widths ----------------------------------------------------------------------------------

    @property
    def core_bits(self) -> int:
        """A core's number; none if there is one core."""
        return (self.cores - 1).bit_length()

    @property
    def token_bits(self) -> int:
        """A token index."""
        return (self.max_tokens - 1).bit_length()

    @property
    def count_bits(self) -> int:
        """A number of tokens, 0 to max_tokens."""
        return self.max_tokens.bit_length()

    @property
    def word_bits(self) -> int:
        """An address inside a bank (a token index without its lane)."""
        return (self.bank_depth - 1).bit_length()

    @property
    def dot_bits(self) -> int:
        """Signed sum of `width` products of two int8."""
        return 16 + (self.width - 1).bit_length()

    @property
    def exp_sum_bits(self) -> int:
        """Unsigned sum of one row's exponentials."""
        return (numerics.EXP_MAX * self.max_tokens).bit_length()

    @property
    def pv_bits(self) -> int:
        """Signed sum over one row of exponential times int8 value."""
        return (128 * numerics.EXP_MAX * self.max_tokens).bit_length() + 1

    @property
    def importance_bits(self) -> int:
        """Unsigned column sum of probabilities over all rows and heads, in whole sorter digits.

        A rounded probability is at most 1, so that the sum is at most one for each row and head.
        """
        largest = (self.max_tokens * self.max_heads) << numerics.PROBABILITY_FRACTION_BITS
        digits = -(-(largest + 1).bit_length() // numerics.SORT_DIGIT_BITS)
        return digits * numerics.SORT_DIGIT_BITS

    @property
    def dim_bits(self) -> int:
        """A number of channels of a token, up to max_dim."""
        return self.max_dim.bit_length()

    @property
    def slice_bits(self) -> int:
        """A number of rows of a token: a linear layer's slices, its or a head's pitch."""
        return (self.hidden_dim // self.width).bit_length()

    @property
    def tile_bits(self) -> int:
        """A number of groups of `lanes` outputs of a linear layer."""
        return (self.hidden_dim // self.lanes).bit_length()

    @property
    def channel_sum_bits(self) -> int:
        """Signed sum of a token's residual channels."""
        return ((self.max_dim << (numerics.RESIDUAL_BITS - 1)) - 1).bit_length() + 1

    @property
    def square_sum_bits(self) -> int:
        """Unsigned sum of the squares of a token's residual channels."""
        return (self.max_dim << (2 * numerics.RESIDUAL_BITS - 2)).bit_length()

    @property
    def variance_bits(self) -> int:
        """Unsigned dim * (sum of squares) - sum^2 = dim^2 * variance of a token.

        A variance is at most (range / 2)^2, below 2^30 for int16.
        """
        return ((self.max_dim**2 << (2 * numerics.RESIDUAL_BITS - 2)) - 1).bit_length()

    # Identity --------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """Hash of the choices that programs depend on: ties one to the hardware that it fits.

        A program for a single core says nothing of cores.
        """
        fields = (f.name for f in dataclasses.fields(self) if _ANY_PROGRAM not in f.metadata)
        choices = {
            name: getattr(self, name) for name in fields if name != "cores" or self.cores > 1
        }
        text = json.dumps(choices, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_power_of_two(name: str, value: int, low: int, high: int) -> None:
    """Raise UserError unless `value` is one of these."""
    if value & (value - 1) or not low <= value <= high:
        raise UserError(f"{name} = {value}: expected a power of two from {low} to {high}")
