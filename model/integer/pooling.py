"""Integer golden model of POOL: the mean of the live tokens, exact in every bit."""

from collections.abc import Sequence

from torch import Tensor

from model.integer.attention import requantise
from model.network.shape import Network
from rtl_gen.numerics import RESIDUAL_BITS, Scale


def pool_scale(tokens: int) -> Scale:
    """The factor that makes a mean of the sum over `tokens` tokens, of which there is at least one;
    exact for powers of two, else off by 2^-16 of it at most.
    """
    return Scale.nearest(1 / tokens)


def averaged_tokens(network: Network, keep: Sequence[int | None]) -> int:
    """Tokens of the mean that a network's classifier is given, behind what each layer leaves."""
    left = min([network.tokens, *(count for count in keep if count is not None)])
    return left - network.left_out


def pool(residual: Tensor, live: Tensor, prefix: int, scale: Scale) -> Tensor:
    """The mean of the live tokens but the first `prefix` of them.

    residual: (n, d) int16, live: (n,) bool; result: (d,) int16, 0 if no token is left
    """
    averaged = residual[live][prefix:]
    return requantise(averaged.sum(0), scale.multiplier, scale.shift, RESIDUAL_BITS)
