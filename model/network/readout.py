"""How a Vision Transformer ends: what is classified, and where it is normalised."""

from enum import StrEnum


class Readout(StrEnum):
    """What the classifier is given of the tokens that leave the last layer."""

    CLASS_TOKEN = "class_token"
    """The first token."""
    DISTILLED = "distilled"
    """The first two tokens, each to a classifier of its own; the mean of both results counts."""
    MEAN = "mean"
    """The mean of the live tokens behind the prefix."""
    MEAN_OF_ALL = "mean_of_all"
    """The mean of all live tokens."""


class FinalNorm(StrEnum):
    """Where the last LayerNorm stands."""

    BEFORE_READOUT = "before_readout"
    """Every token is normalised; of one token alone this is the same as behind the readout."""
    AFTER_READOUT = "after_readout"
    """The mean is normalised (timm's `fc_norm`)."""
    NONE = "none"
