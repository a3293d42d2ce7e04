"""Where inside a layer tokens go, and which of its parts work on how many."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class LayerTokens(NamedTuple):
    """Tokens, the prefix included, that the parts of one layer work on."""

    attention: int
    """Rows of the QKV linear layer, queries and keys."""
    projection: int
    """Rows of the output projection and of the FFN."""
    leaving: int
    """Tokens that the next layer gets."""


class Placement(StrEnum):
    """Where inside a layer its tokens go."""

    BEFORE_LAYER = "before_layer"
    """On entry, by the importance of the layer before."""
    AFTER_ATTENTION = "after_attention"
    """Once the attention probabilities are known: the projection and the FFN see survivors only."""
    AFTER_FFN = "after_ffn"
    """On exit, by the importance of the same layer."""

    def layer_tokens(self, entering: Sequence[int], leaving: Sequence[int]) -> list[LayerTokens]:
        """The tokens of every layer from those that enter it and those that leave it."""
        pairs = zip(entering, leaving, strict=True)
        match self:
            case Placement.BEFORE_LAYER:
                return [LayerTokens(after, after, after) for _, after in pairs]
            case Placement.AFTER_ATTENTION:
                return [LayerTokens(before, after, after) for before, after in pairs]
            case Placement.AFTER_FFN:
                return [LayerTokens(before, before, after) for before, after in pairs]
