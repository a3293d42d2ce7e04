"""The shape of a plain Vision Transformer, and how it is read off a timm model.

Plain are ViT (Dosovitskiy et al., ICLR 2021), DeiT with or without a distillation token (Touvron et
al., ICML 2021), DeiT III, DINOv2 with registers, MAE's fine-tuned networks and whatever else timm's
`VisionTransformer` builds of its own blocks: a convolution of patches, position embeddings, layers
of full softmax attention and a two-layer FFN, a classifier over one token, two or the mean of all.
"""

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import torch
from timm.layers import LayerScale, Mlp, PatchEmbed
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import Attention, Block, VisionTransformer
from torch import nn

from model.preprocessing import COLOURS
from model.timm_model import TimmModel
from rtl_gen.errors import UserError

OTHER_NETWORKS = {
    "Beit": "relative position bias in its attention",
    "VisionTransformerRelPos": "relative position bias in its attention",
    "LevitDistilled": "relative position bias in its attention, convolutional stem",
    "Eva": "rotary positions or gated FFN",
    "SwinTransformer": "attention within windows",
    "SwinTransformerV2": "attention within windows",
    "VisionTransformerSAM": "attention within windows, relative position bias",
    "MaxxVit": "convolutions beside its attention",
    "Cait": "talking heads",
    "ConVit": "positions gated into its attention",
    "Xcit": "attention over channels",
    "PoolingVisionTransformer": "pooling between its layers",
    "MultiScaleVit": "pooling between its layers",
}
"""Classes of timm that people look for here, and what none of the accelerator's units does."""


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
        return _read(model, name)

    @classmethod
    def of(cls, timm: TimmModel, name: str) -> "Network":
        """The shape of what timm makes; errors are those of `from_timm` and `TimmModel.create`."""
        return replace(_read(timm.skeleton(), name), timm=timm)

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


def _read(model: VisionTransformer, name: str) -> Network:
    if type(model) not in (VisionTransformer, VisionTransformerDistilled):
        kind = type(model).__name__
        why = f" ({OTHER_NETWORKS[kind]})" if kind in OTHER_NETWORKS else ""
        raise _refused(
            name,
            f"it is a {kind}{why}",
            "timm's VisionTransformer or its distilled one, such as vit_tiny_patch16_224",
        )
    blocks = list(model.blocks)
    if not blocks:
        raise _refused(name, "it has no layers", "one at least")
    for index, block in enumerate(blocks):
        _check_block(f"{name}, layer {index}", block)
    shapes = {(b.attn.num_heads, b.attn.head_dim, b.mlp.fc1.out_features) for b in blocks}
    if len(shapes) > 1:
        raise _refused(
            name, "its layers differ in heads or FFN", "the same number of channels in all layers"
        )
    _check_surroundings(name, model)
    heads, head_dim, hidden = shapes.pop()
    embedding = model.patch_embed
    return Network(
        name=name,
        heads=heads,
        layers=len(blocks),
        head_dim=head_dim,
        grid=tuple(embedding.grid_size),
        patch=tuple(embedding.patch_size),
        colours=embedding.proj.in_channels,
        prefix_tokens=model.num_prefix_tokens,
        mlp_ratio=hidden / (heads * head_dim),
        classes=model.num_classes,
        readout=_readout(name, model),
        final_norm=_final_norm(model),
        pre_norm=_is_there(model.norm_pre),
    )


def _check_block(place: str, block: nn.Module) -> None:
    if type(block) is not Block:
        raise _refused(place, f"it is a {type(block).__name__}", "timm's Block")
    attention, mlp = block.attn, block.mlp
    if type(attention) is not Attention:
        raise _refused(place, f"its attention is {type(attention).__name__}", "plain attention")
    if _is_there(attention.q_norm) or _is_there(attention.k_norm):
        raise _refused(place, "it normalises queries and keys", "QK norm off (qk_norm=False)")
    if _is_there(attention.norm) or attention.gate is not None:
        raise _refused(place, "it normalises or gates what attention gives", "plain attention")
    if attention.attn_dim != attention.qkv.in_features:
        raise _refused(
            place,
            f"its heads have {attention.attn_dim} channels together",
            f"as many as a token, {attention.qkv.in_features}",
        )
    if type(mlp) is not Mlp or _is_there(mlp.norm) or not isinstance(mlp.fc1, nn.Linear):
        raise _refused(
            place, f"its FFN is {type(mlp).__name__}", "two linear layers, no gate, no norm"
        )
    if not _is_elementwise(mlp.act):
        raise _refused(
            place,
            f"its activation is {type(mlp.act).__name__}",
            "a function of each value alone, without weights",
        )
    for scale in (block.ls1, block.ls2):
        if _is_there(scale) and type(scale) is not LayerScale:
            raise _refused(place, f"it has a {type(scale).__name__}", "LayerScale or nothing")
    _check_norms(place, block.norm1, block.norm2)


def _check_surroundings(name: str, model: VisionTransformer) -> None:
    embedding = model.patch_embed
    if type(embedding) is not PatchEmbed or _is_there(embedding.norm):
        raise _refused(
            name, f"its patches come from {type(embedding).__name__}", "one convolution of patches"
        )
    convolution = embedding.proj
    if convolution.kernel_size != convolution.stride or any(convolution.padding):
        raise _refused(name, "its patches overlap", "a stride equal to the size of a patch")
    rows, columns = (
        size * side
        for size, side in zip(embedding.grid_size or (0, 0), embedding.patch_size, strict=True)
    )
    if embedding.img_size is None or (rows, columns) != tuple(embedding.img_size):
        raise _refused(
            name,
            f"its pictures are {embedding.img_size}",
            f"a size that patches of {embedding.patch_size} fill (img_size=)",
        )
    if _is_there(model.patch_drop) and model.training:
        raise _refused(name, "it drops patches at random", "a model in evaluation mode")
    norms = [norm for norm in (model.norm_pre, model.norm, model.fc_norm) if _is_there(norm)]
    _check_norms(name, *norms)


def _readout(name: str, model: VisionTransformer) -> Readout:
    if isinstance(model, VisionTransformerDistilled):
        return Readout.DISTILLED
    if model.attn_pool is None and model.global_pool == "token":
        return Readout.CLASS_TOKEN
    if model.attn_pool is None and model.global_pool == "avg":
        return Readout.MEAN_OF_ALL if model.pool_include_prefix else Readout.MEAN
    raise _refused(
        name, f"its global_pool is {model.global_pool!r}", "'token' or 'avg' (global_pool=)"
    )


def _final_norm(model: VisionTransformer) -> FinalNorm:
    if isinstance(model, VisionTransformerDistilled):
        # Its readout leaves `fc_norm` out.
        return FinalNorm.BEFORE_READOUT if _is_there(model.norm) else FinalNorm.NONE
    if not _is_there(model.norm) and not _is_there(model.fc_norm):
        return FinalNorm.NONE
    if _is_there(model.norm) or model.global_pool == "token":
        return FinalNorm.BEFORE_READOUT
    return FinalNorm.AFTER_READOUT


def _check_norms(place: str, *norms: nn.Module) -> None:
    for norm in norms:
        if not isinstance(norm, nn.LayerNorm) or norm.weight is None or norm.bias is None:
            raise _refused(
                place, f"it has a {type(norm).__name__}", "LayerNorm with gain and offset"
            )


def _is_there(module: nn.Module | None) -> bool:
    return module is not None and not isinstance(module, nn.Identity)


def _is_elementwise(activation: nn.Module) -> bool:
    """Whether each result depends on one value, and on nothing that was learned."""
    if any(True for _ in activation.parameters()):
        return False
    values = torch.linspace(-4, 4, 24, device="cpu")
    alone = torch.cat([activation(value.view(1, 1, 1)).flatten() for value in values])
    return torch.allclose(activation(values.view(2, 3, 4)).flatten(), alone, atol=1e-5)


def _refused(place: str, what: str, expected: str) -> UserError:
    return UserError(f"{place}: {what}, which the accelerator has no unit for: expected {expected}")
