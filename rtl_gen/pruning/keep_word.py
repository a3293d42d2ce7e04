"""What the pruning units hand to one another: keep words, and how their bits are counted."""

import operator
from collections.abc import Iterable, Sequence
from functools import reduce

from amaranth.hdl import Const, Value
from amaranth.lib import data, stream

from rtl_gen.config import AcceleratorConfig


def keep_word_signature(config: AcceleratorConfig) -> stream.Signature:
    """The verdict on `lanes` tokens: word w covers tokens w * lanes to w * lanes + lanes - 1.

    Words come in ascending order from word 0, at most one a cycle and without back-pressure; `last`
    marks the final one. Bit l of `bits` is set if token w * lanes + l is kept.
    """
    word = data.StructLayout({"word": config.word_bits, "bits": config.lanes, "last": 1})
    return stream.Signature(word, always_ready=True)


def prefix_counts(bits: Sequence[Value]) -> list[Value]:
    """How many of the first i bits are set, for i = 0 .. len(bits), in log2 adder levels.

    Sklansky's parallel prefix network; the last element alone is a population count.
    """
    if len(bits) == 1:
        return [Const(0, 1), bits[0]]
    half = len(bits) // 2
    low = prefix_counts(bits[:half])
    high = prefix_counts(bits[half:])
    return low + [low[-1] + count for count in high[1:]]


def any_of(values: Iterable[Value]) -> Value:
    """The bitwise OR: multiplexes values of which at most one is not zero."""
    return reduce(operator.or_, values)
