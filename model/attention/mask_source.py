"""Where the masks of a run come from; every command and the library make them here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.attention.entry_scores import scores_for
from model.attention.maps import AttentionMaps, load_attention_maps
from model.attention.synthetic import maps_of
from model.masks.strategies import MASK_STRATEGY, check_choice, check_maps_fit, make_masks
from model.masks.vitcod_file import read_masks
from model.network.shape import Network


def maps_for(network: Network, source: str | None = None) -> AttentionMaps:
    """Measured attention maps: of a file or a built-in network, by default the network's own.

    Raises:
        UserError: there are none, or those of another network.
    """
    maps = load_attention_maps(source or network.name)
    check_maps_fit(maps.maps, network, source or network.name)
    return maps


@dataclass(frozen=True, kw_only=True)
class MaskSource:
    """A mask file, or else a strategy at a sparsity; a sparsity of 0 is dense attention.

    Raises:
        UserError: an unknown strategy, or a sparsity that is no fraction.
    """

    sparsity: float = 0.0
    strategy: str = MASK_STRATEGY
    file: Path | None = None
    """ViTCoD mask file in place of both."""
    scores: Path | None = None
    """Of the strategy `learned`; None: those that come with the project."""
    maps: str | None = None
    """Attention maps, a file or a network whose maps are built in; None: the network's own."""
    stand_in: int | None = None
    """Seed of the synthetic maps that stand in where a network has none; None: nothing does."""

    def __post_init__(self):
        if self.file is None:
            check_choice(self.sparsity, self.strategy)

    @property
    def dense(self) -> bool:
        """Whether every entry is kept."""
        return self.file is None and self.sparsity == 0

    @property
    def label(self) -> str:
        """What names the masks in the names of results."""
        if self.file is not None:
            return self.file.stem
        if self.strategy == MASK_STRATEGY or self.dense:
            return f"{self.sparsity:g}"
        return f"{self.sparsity:g}-{self.strategy}"

    def masks(self, network: Network) -> np.ndarray:
        """Kept entries (True), bool (layers, heads, n, n).

        Raises:
            UserError: a file, maps or scores that are missing or of another network, or a sparsity
                out of reach.
        """
        if self.file is not None:
            return read_masks(self.file, network)
        if self.dense:
            return np.ones(network.mask_shape, dtype=np.bool_)
        scores = scores_for(self.strategy, network.name, self.scores)
        maps, prefix = self.attention(network).maps, network.prefix_tokens
        return make_masks(maps, self.sparsity, self.strategy, scores, prefix=prefix)

    def attention(self, network: Network) -> AttentionMaps:
        """The averaged attention that they follow from."""
        if self.maps is None and self.stand_in is not None:
            return maps_of(network, self.stand_in)
        return maps_for(network, self.maps)
