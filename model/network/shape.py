"""The shape of a plain Vision Transformer."""

from dataclasses import asdict, dataclass, field
from typing import Any, cast

from timm.models.vision_transformer import VisionTransformer

from model.data.preprocessing import COLOURS
from model.network.plain_vit import fields_of
from model.network.readout import FinalNorm, Readout
from model.network.timm_model import TimmModel


@dataclass(frozen=True, kw_only=True)
class Network:
    """Shape of one Vision Transformer; all layers are alike.

    Tokens are the prefix (class, distillation and register tokens, which pruning never drops), then
    the patches of the picture, row by row.
    """

    name: str
    heads: int
    layers: int = 12
    head_dim: int = 64
    grid: tuple[int, int] = (14, 14)
    """Rows and columns of patches."""
    patch: tuple[int, int] = (16, 16)
    """Rows and columns of pixels of a patch."""
    colours: int = COLOURS
    prefix_tokens: int = 1
    mlp_ratio: float = 4
    classes: int = 1000
    """0: the network has no classifier, its results are the features that one would be given."""
    readout: Readout = Readout.CLASS_TOKEN
    final_norm: FinalNorm = FinalNorm.BEFORE_READOUT
    pre_norm: bool = False
    """Whether a LayerNorm stands before the first layer, as in CLIP (Radford et al., ICML 2021)."""
    timm: TimmModel | None = field(default=None, compare=False, repr=False)
    """How timm makes the model; None: of a network that was read off a model or a file."""

    @classmethod
    def from_timm(cls, model: VisionTransformer, name: str = "network") -> "Network":
        """The shape of a timm model; its weights may lie on the device `meta`.

        Raises:
            UserError: a part that the accelerator has no unit for.
        """
        return cls(name=name, **fields_of(model, name))

    @classmethod
    def of(cls, timm: TimmModel, name: str) -> "Network":
        """The shape of what timm makes; errors are those of `from_timm` and `TimmModel.create`."""
        return cls(
            name=name, timm=timm, **fields_of(cast(VisionTransformer, timm.skeleton()), name)
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Network":
        """What `as_json` gave."""
        kinds = {"grid": tuple, "patch": tuple, "readout": Readout, "final_norm": FinalNorm}
        return cls(**{key: kinds.get(key, lambda x: x)(value) for key, value in values.items()})

    def as_json(self) -> dict[str, Any]:
        """The shape as JSON holds it."""
        shape = asdict(self) | {"grid": [*self.grid], "patch": [*self.patch]}
        del shape["timm"]
        return shape

    @property
    def dim(self) -> int:
        """Channels of a token."""
        return self.heads * self.head_dim

    @property
    def hidden(self) -> int:
        """Channels between the two linear layers of the FFN."""
        return round(self.mlp_ratio * self.dim)

    @property
    def patch_tokens(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def tokens(self) -> int:
        """Prefix and patches."""
        return self.prefix_tokens + self.patch_tokens

    @property
    def patch_inputs(self) -> int:
        """Inputs of the patch embedding."""
        return self.colours * self.patch[0] * self.patch[1]

    @property
    def image_size(self) -> tuple[int, int]:
        """Rows and columns of pixels of a picture."""
        return self.grid[0] * self.patch[0], self.grid[1] * self.patch[1]

    @property
    def outputs(self) -> int:
        """Results of a picture: logits, or else features."""
        return self.classes or self.dim

    @property
    def read_tokens(self) -> int:
        """Tokens that the classifier is given side by side."""
        return 2 if self.readout is Readout.DISTILLED else 1

    @property
    def pools(self) -> bool:
        """Whether the classifier is given a mean of tokens."""
        return self.readout in (Readout.MEAN, Readout.MEAN_OF_ALL)

    @property
    def least_patches(self) -> int:
        """Patch tokens that pruning has to leave: a mean needs one."""
        return int(self.pools)

    @property
    def left_out(self) -> int:
        """Leading tokens that do not enter the mean."""
        return self.prefix_tokens if self.readout is Readout.MEAN else 0

    @property
    def averages_normalised(self) -> bool:
        """Whether tokens are normalised before the mean."""
        return self.pools and self.final_norm is FinalNorm.BEFORE_READOUT

    @property
    def plain_readout(self) -> bool:
        """Whether what the classifier is given is not normalised behind the readout."""
        return self.averages_normalised or self.final_norm is FinalNorm.NONE

    @property
    def mask_shape(self) -> tuple[int, int, int, int]:
        """(layers, heads, queries, keys)."""
        return self.layers, self.heads, self.tokens, self.tokens
