"""How the shape of a plain Vision Transformer is read off a timm model, and what is refused.

Plain are ViT (Dosovitskiy et al., ICLR 2021), DeiT with or without a distillation token (Touvron et
al., ICML 2021), DeiT III, DINOv2 with registers, MAE's fine-tuned networks and whatever else timm's
`VisionTransformer` builds of its own blocks: a convolution of patches, position embeddings, layers
of full softmax attention and a two-layer FFN, a classifier over one token, two or the mean of all.
"""

from typing import Any

import torch
from timm.layers import LayerScale, Mlp, PatchEmbed
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import Attention, Block, VisionTransformer
from torch import nn

from model.network.readout import FinalNorm, Readout
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


def fields_of(model: VisionTransformer, name: str) -> dict[str, Any]:
    """The fields of `model.network.shape.Network`, but for its name, by which errors call it.

    Raises:
        UserError: a part that the accelerator has no unit for.
    """
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
    return {
        "heads": heads,
        "layers": len(blocks),
        "head_dim": head_dim,
        "grid": tuple(embedding.grid_size),
        "patch": tuple(embedding.patch_size),
        "colours": embedding.proj.in_channels,
        "prefix_tokens": model.num_prefix_tokens,
        "mlp_ratio": hidden / (heads * head_dim),
        "classes": model.num_classes,
        "readout": _readout(name, model),
        "final_norm": _final_norm(model),
        "pre_norm": _is_there(model.norm_pre),
    }


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
