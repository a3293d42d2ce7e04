"""The schedule of cascade token pruning: how many tokens each layer leaves for the next.

`NO_PRUNING` keeps all of them, whatever the network. A `ListedSchedule` says it layer by layer. In
a `PruningSchedule` the pruning ratio runs from `start` at the first pruned layer to `end` at the
last layer. With t = 0 .. steps over the pruned layers:

    exponential   r_t = start * (end / start)^(t / steps)
    linear        r_t = start + (end - start) * t / steps
    constant      r_t = start                                (start and end must agree)

    fraction_of_original    kept_t = floor(patches    * (1 - r_t) + 1/2)
    fraction_of_remaining   kept_t = floor(kept_(t-1) * (1 - r_t) + 1/2)

Patches are counted; the prefix (CLS) stays always and comes on top. Rounding to the nearest gives
the default's 176 170 162 151 137 119 94 62 20 of 196. Layers are those of DeiT; `fitted` moves the
first pruned layer of a network of another depth in proportion. Token pruning by cumulative
attention: SpAtten (HPCA 2021).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Self

from model.network.names import DEIT_TINY
from model.network.shape import Network
from model.pruning.placement import LayerTokens, Placement
from rtl_gen.errors import UserError


class Interpolation(StrEnum):
    """How the ratio runs from the first pruned layer to the last."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    CONSTANT = "constant"


class Meaning(StrEnum):
    """What the ratio is a fraction of."""

    FRACTION_OF_ORIGINAL = "fraction_of_original"
    FRACTION_OF_REMAINING = "fraction_of_remaining"


class Schedule(ABC):
    """How many tokens each layer of a network leaves, and where inside a layer the others go."""

    placement: Placement

    @staticmethod
    def paper() -> "Schedule":
        """The default: ratios rise exponentially from 0.1 to 0.9 over the last 9 layers of 12."""
        return DEFAULT_SCHEDULE

    @staticmethod
    def unpruned() -> "Schedule":
        """All tokens stay."""
        return NO_PRUNING

    @staticmethod
    def listed(kept: Sequence[int]) -> "Schedule":
        """Patch tokens (CLS not counted) that leave each layer."""
        return ListedSchedule(kept=tuple(kept))

    @abstractmethod
    def kept_tokens(self, network: Network) -> list[int]:
        """Patch tokens (the prefix not counted) that leave each layer.

        Raises:
            UserError: a schedule that the network cannot have.
        """

    @abstractmethod
    def fitted(self, network: Network) -> Self:
        """The schedule for a network of another depth than DeiT's, if it can be one."""

    def prunes(self, network: Network) -> bool:
        """Whether a layer of the network drops any token."""
        return any(kept < network.patch_tokens for kept in self.kept_tokens(network))

    def or_none(self, network: Network) -> "Schedule":
        """The schedule, or `NO_PRUNING` where it drops no token of the network."""
        return self if self.prunes(network) else NO_PRUNING

    def layer_tokens(self, network: Network) -> list[LayerTokens]:
        """Tokens (the prefix counted) that the parts of each layer work on.

        Raises:
            UserError: a schedule that the network cannot have.
        """
        kept_tokens = self.kept_tokens(network)
        if kept_tokens[-1] < network.least_patches:
            raise UserError(
                f"the schedule leaves no patch token: {network.name} classifies the mean of its "
                "tokens, expected one at least"
            )
        leaving = [kept + network.prefix_tokens for kept in kept_tokens]
        entering = [network.tokens, *leaving[:-1]]
        return self.placement.layer_tokens(entering, leaving)


@dataclass(frozen=True)
class Unpruned(Schedule):
    """All tokens stay, in a network of any depth."""

    placement: Placement = Placement.AFTER_ATTENTION
    """Where nothing goes: every command has this one."""

    def fitted(self, network: Network) -> Self:
        return self

    def kept_tokens(self, network: Network) -> list[int]:
        return [network.patch_tokens] * network.layers


@dataclass(frozen=True, kw_only=True)
class PruningSchedule(Schedule):
    """A schedule by ratios; the default is the reading that design and results refer to."""

    start: float = 0.1
    """Ratio at the first pruned layer, 0 to below 1."""
    end: float = 0.9
    """Ratio at the last layer, 0 to below 1."""
    first_layer: int = 3
    """Index of the first pruned layer = number of layers that are left whole."""
    interpolation: Interpolation = Interpolation.EXPONENTIAL
    meaning: Meaning = Meaning.FRACTION_OF_ORIGINAL
    placement: Placement = Placement.AFTER_ATTENTION

    def __post_init__(self):
        for name in ("start", "end"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < 1:
                raise UserError(
                    f"pruning ratio {name} = {value!r}: expected a fraction from 0 to below 1"
                )
        for name, kind in (
            ("interpolation", Interpolation),
            ("meaning", Meaning),
            ("placement", Placement),
        ):
            object.__setattr__(self, name, _member(kind, name, getattr(self, name)))
        if type(self.first_layer) is not int or self.first_layer < self._earliest_layer:
            raise UserError(
                f"first_layer = {self.first_layer!r}: expected an integer of at least "
                f"{self._earliest_layer} with placement {self.placement}"
            )
        if self.interpolation is Interpolation.EXPONENTIAL and 0 in (self.start, self.end):
            raise UserError("an exponential schedule cannot start or end at 0: choose linear")
        if self.interpolation is Interpolation.CONSTANT and self.start != self.end:
            raise UserError(
                f"a constant schedule needs start = end, found {self.start} and {self.end}"
            )
        if self.meaning is Meaning.FRACTION_OF_ORIGINAL and self.end < self.start:
            raise UserError(
                f"end = {self.end} is below start = {self.start}: dropped tokens never come back, "
                "expected a ratio of the original tokens that does not fall"
            )

    def fitted(self, network: Network) -> Self:
        """The schedule with the same fraction of layers left whole, rounded down, as in DeiT.

        Where tokens go before a layer, its importance comes from one before it, which stays whole.
        """
        share = self.first_layer * network.layers // DEIT_TINY.layers
        return replace(self, first_layer=max(share, self._earliest_layer))

    @property
    def _earliest_layer(self) -> int:
        """The first layer that has an importance to go by."""
        return int(self.placement is Placement.BEFORE_LAYER)

    def ratios(self, network: Network) -> list[float]:
        """The ratio of every pruned layer."""
        pruned = network.layers - self.first_layer
        if pruned < 1:
            raise UserError(
                f"first_layer = {self.first_layer}: {network.name} has {network.layers} layers, "
                f"expected at most {network.layers - 1}"
            )
        return [self._ratio(t / max(pruned - 1, 1)) for t in range(pruned)]

    def _ratio(self, position: float) -> float:
        match self.interpolation:
            case Interpolation.EXPONENTIAL:
                return self.start * (self.end / self.start) ** position
            case Interpolation.LINEAR:
                return self.start + (self.end - self.start) * position
            case Interpolation.CONSTANT:
                return self.start

    def kept_tokens(self, network: Network) -> list[int]:
        kept = [network.patch_tokens] * self.first_layer
        for ratio in self.ratios(network):
            of_remaining = self.meaning is Meaning.FRACTION_OF_REMAINING
            base = kept[-1] if of_remaining and kept else network.patch_tokens
            kept.append(math.floor(base * (1 - ratio) + 0.5))
        return kept


@dataclass(frozen=True, kw_only=True)
class ListedSchedule(Schedule):
    """A schedule that names every layer's patch tokens; it is for networks of as many layers."""

    kept: tuple[int, ...]
    """Patch tokens (the prefix not counted) that leave each layer; 0 leaves the prefix alone."""
    patches: int | None = None
    """Of the networks that it is for; None: of any."""
    placement: Placement = Placement.AFTER_ATTENTION

    def __post_init__(self):
        object.__setattr__(self, "kept", tuple(self.kept))
        object.__setattr__(self, "placement", _member(Placement, "placement", self.placement))
        for count in self.kept:
            if type(count) is not int or count < 0:
                raise UserError(f"kept tokens {count!r}: expected integers of at least 0")
        for layer, (before, after) in enumerate(pairwise(self.kept), start=1):
            if after > before:
                raise UserError(
                    f"kept tokens grow from {before} to {after} in layer {layer}: dropped tokens "
                    "never come back, expected counts that do not grow"
                )

    def fitted(self, network: Network) -> Self:
        return self

    def kept_tokens(self, network: Network) -> list[int]:
        patches = network.patch_tokens
        if len(self.kept) != network.layers:
            raise UserError(
                f"the schedule lists {len(self.kept)} layers: {network.name} has "
                f"{network.layers}, expected a count for each"
            )
        if self.patches not in (None, patches):
            raise UserError(
                f"the schedule is for networks of {self.patches} patches: {network.name} has "
                f"{patches}"
            )
        if self.kept[0] > patches:
            raise UserError(
                f"the schedule keeps {self.kept[0]} patch tokens: {network.name} has {patches}, "
                "expected at most so many"
            )
        if self.placement is Placement.BEFORE_LAYER and self.kept[0] != patches:
            raise UserError(
                f"the schedule prunes before layer 0, where no token has an importance yet: "
                f"expected {patches} kept there"
            )
        return list(self.kept)


def _member(kind: type[StrEnum], name: str, value: str) -> StrEnum:
    if value not in list(kind):
        raise UserError(f"{name} = {value!r}: expected one of {', '.join(kind)}")
    return kind(value)


DEFAULT_SCHEDULE = PruningSchedule()

NO_PRUNING = Unpruned()

SEARCHED_SCHEDULE = ListedSchedule(
    kept=(196, 196, 196, 176, 170, 162, 151, 137, 119, 94, 62, 0), patches=DEIT_TINY.patch_tokens
)
"""For DeiT: the default, but for the last layer, where CLS is left alone: behind its attention
nothing looks at other tokens. It loses what the default loses, in fewer cycles. Where it comes from
is in docs/results.md, "Schedule search"."""

READINGS: dict[str, PruningSchedule] = {
    f"{meaning.removeprefix('fraction_of_')}-{placement.replace('_', '-')}": replace(
        DEFAULT_SCHEDULE, meaning=meaning, placement=placement
    )
    for meaning in Meaning
    for placement in (Placement.AFTER_ATTENTION, Placement.BEFORE_LAYER, Placement.AFTER_FFN)
}
"""Every simple reading of "exponentially from 0.1 to 0.9"; the first one is the default."""
