"""Post-training quantisation: a timm network and some images become an `IntegerNetwork`.

The float network runs over the calibration images; from what it shows follow

* the step of the residual stream and of the logits: the largest magnitude, with room to spare;
* every int8 range: of a grid of clipping points the one of least squared error;
* the channel shifts of a norm: for each channel the shift of least squared error, for the step of
  least total error, weighted by what the next layer's weights make of it;
* free choices inside a head: q and k of a channel share their spread (what one gains in scale the
  other loses), the bias of k centres it (softmax does not see what all keys have in common), and
  the scale of a channel of v moves into the projection;
* the weights: rounded column by column, each column making up for those before it (GPTQ: Frantar et
  al., ICLR 2023), with a step a row of least error;
* the biases: the mean of a layer's outputs over the calibration images is that of the float
  network, which takes care of LayerNorm's offsets, of GELU's zero points and of the mean error of
  rounded weights (bias correction: Nagel et al., ICCV 2019).

Normalisation of images is part of the patch embedding, whose inputs are exact: pixels less 128.
"""

import warnings
from collections.abc import Callable

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor

from model.calibration.gelu import GeluTable
from model.calibration.heads import Heads
from model.calibration.linear import Activation, quantise_linear, without_bias
from model.calibration.norm import quantise_norm
from model.calibration.samples import PATCHES, WATCHED_INPUTS, WATCHED_OUTPUTS, Samples, collect
from model.calibration.steps import to_integers
from model.images import ImageFolder
from model.integer.forward import PIXEL_OFFSET
from model.integer.network import IntegerNetwork, Layer, Linear, Parameters
from model.network import COLOURS, Network
from model.preprocessing import WHITE, Preprocessing
from model.reference import FloatReference
from rtl_gen.errors import InputWarning, UserError
from rtl_gen.numerics import LOGIT_BITS, RESIDUAL_BITS

FEW_IMAGES = 5
"""Fewer hardly show the ranges of activations."""

HEADROOM = 1.5
"""The largest residual and logit seen may grow by so much on other images."""


def calibrate(
    reference: FloatReference,
    folder: ImageFolder,
    batch_size: int = 16,
    progress: Callable[[int], object] | None = None,
    seed: int = 0,
) -> IntegerNetwork:
    """The integer network of a float one, from all images of a folder.

    Masks and pruning of the reference shape the ranges, since they change what activations do.
    `progress` is called with the number of images of every finished batch, `seed` chooses the
    token rows that enter the statistics.

    Raises:
        UserError: no image can be read, or ranges that no scale factor fits.
    """

    def run(images: Tensor) -> None:
        reference.forward(images)
        if progress is not None:
            progress(len(images))

    batches = (images for images, _ in folder.batches(reference.model, batch_size))
    samples = collect(reference.model, run, batches, seed)
    count = len(folder) - len(folder.unreadable)
    if count < FEW_IMAGES:
        warnings.warn(
            f"the ranges of the integers come from {count} image{'s' * (count > 1)}: expected some "
            "hundred, others will be clipped",
            InputWarning,
            stacklevel=2,
        )
    try:
        return quantise(reference.network, reference.model, samples)
    except ValueError as error:
        raise UserError(
            f"the ranges of the activations do not fit the integers ({error}): expected trained "
            "weights and more images"
        ) from error


def quantise(
    network: Network, model: VisionTransformer, samples: dict[str, Samples]
) -> IntegerNetwork:
    """The integer network from samples of its tensors."""
    residual = max(s.largest for name, s in samples.items() if "norm" in name)
    residual_step = _step_below(residual, RESIDUAL_BITS)
    logit_step = _step_below(samples["head"].largest, LOGIT_BITS)
    initial, patch = _embedding(model, samples[PATCHES].rows, residual_step)
    norm, normed = quantise_norm(model.norm, samples["norm"].rows, model.head.weight)
    parameters = Parameters(
        initial=initial,
        patch=patch,
        layers=tuple(
            _layer(
                network,
                block,
                residual_step,
                *(
                    samples[f"blocks.{index}.{part}"].rows
                    for part in WATCHED_INPUTS + WATCHED_OUTPUTS
                ),
            )
            for index, block in enumerate(model.blocks)
        ),
        norm=norm,
        classifier=quantise_linear(model.head.weight, model.head.bias, normed, logit_step),
    )
    preprocessing = Preprocessing.of(model)
    return IntegerNetwork(network, parameters, residual_step, logit_step, preprocessing)


def _step_below(largest: float, bits: int) -> float:
    """The step of integers of `bits` bits that holds a largest magnitude, or of nothing but 0."""
    return (largest or 1.0) * HEADROOM / (1 << (bits - 1))


def _layer(
    network: Network,
    block: Block,
    residual_step: float,
    norm1_input: Tensor,
    mixed: Tensor,
    norm2_input: Tensor,
    qkv: Tensor,
    gelu_input: Tensor,
) -> Layer:
    attention, mlp = block.attn, block.mlp
    norm1, normed1 = quantise_norm(block.norm1, norm1_input, attention.qkv.weight)
    heads = Heads(network, qkv, mixed)
    norm2, normed2 = quantise_norm(block.norm2, norm2_input, mlp.fc1.weight)
    table = GeluTable.fit(gelu_input)
    return Layer(
        norm1=norm1,
        qkv=heads.linear(attention.qkv, normed1),
        heads=heads.scales,
        projection=quantise_linear(
            attention.proj.weight, attention.proj.bias, heads.mixed, residual_step
        ),
        norm2=norm2,
        ffn1=quantise_linear(
            mlp.fc1.weight, mlp.fc1.bias - table.input_offset, normed2, table.input_step
        ),
        gelu=table.entries.to(torch.int8),
        ffn2=quantise_linear(mlp.fc2.weight, mlp.fc2.bias, table.output(gelu_input), residual_step),
    )


def _embedding(
    model: VisionTransformer, patches: Tensor, residual_step: float
) -> tuple[Tensor, Linear]:
    """Initial residual stream, and the patch embedding for pixels less PIXEL_OFFSET."""
    convolution = model.patch_embed.proj
    preprocessing = Preprocessing.of(model)
    mean, std = (
        torch.tensor(values).repeat_interleave(patches.shape[1] // COLOURS)
        for values in (preprocessing.mean, preprocessing.std)
    )
    integer = ((patches * std + mean) * WHITE).round() - PIXEL_OFFSET
    x = Activation(1 / (WHITE * std), patches, integer)
    layer, bias = without_bias(convolution.weight.flatten(1), convolution.bias, x, residual_step)
    initial = model.pos_embed[0].clone()
    initial[0] += model.cls_token[0, 0]
    initial[1:] += bias
    return to_integers(initial / residual_step, RESIDUAL_BITS).to(torch.int16), layer
