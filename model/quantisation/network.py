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
  network, which takes care of LayerNorm's offsets, of the nonlinearity's zero points and of the
  mean error of rounded weights (bias correction: Nagel et al., ICCV 2019).

Normalisation of images is part of the patch embedding, whose inputs are exact: pixels less 128.
LayerScale is part of the layer in front of it.
"""

import warnings
from collections.abc import Callable

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from model.data.image_folder import ImageFolder
from model.data.preprocessing import WHITE, Preprocessing
from model.integer.forward import PIXEL_OFFSET
from model.integer.network import IntegerNetwork, Layer, Linear, Parameters
from model.network.shape import Network
from model.quantisation.heads import Heads
from model.quantisation.linear import Activation, bias_of, quantise_linear, without_bias
from model.quantisation.nonlinearity import NonlinearityTable
from model.quantisation.norm import quantise_norm
from model.quantisation.readout import quantise_readout, renormalise
from model.quantisation.samples import (
    NORM,
    PATCHES,
    PRE_NORM,
    READ_OUT,
    WATCHED_INPUTS,
    WATCHED_OUTPUTS,
    Samples,
    collect,
)
from model.quantisation.steps import step_below, to_integers
from model.reference.forward import FloatReference
from rtl_gen.errors import InputWarning, UserError
from rtl_gen.numerics import RESIDUAL_BITS

FEW_IMAGES = 5
"""Fewer hardly show the ranges of activations."""


def quantise_network(
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

    def run(images: Tensor) -> Tensor:
        logits = reference.forward(images)
        if progress is not None:
            progress(len(images))
        return logits

    batches = (images for images, _ in folder.batches(reference.model, batch_size))
    samples = collect(reference.network, reference.model, run, batches, seed)
    count = len(folder) - len(folder.unreadable)
    if count < FEW_IMAGES:
        warnings.warn(
            f"the ranges of the integers come from {count} image{'s' * (count > 1)}: expected some "
            "hundred, others will be clipped",
            InputWarning,
            stacklevel=2,
        )
    try:
        return quantise_samples(reference.network, reference.model, samples)
    except ValueError as error:
        raise UserError(
            f"the ranges of the activations do not fit the integers ({error}): expected trained "
            "weights and more images"
        ) from error


@torch.no_grad()
def quantise_samples(
    network: Network, model: VisionTransformer, samples: dict[str, Samples]
) -> IntegerNetwork:
    """The integer network from samples of its tensors."""
    stream = [READ_OUT, *(name for name in samples if name.endswith((".norm1", ".norm2")))]
    if network.averages_normalised:
        stream[0] = NORM
    residual_step = step_below(max(samples[name].largest for name in stream), RESIDUAL_BITS)
    embedding_step, pre_norm = residual_step, None
    if network.pre_norm:
        embedding_step = step_below(samples[PRE_NORM].largest, RESIDUAL_BITS)
        pre_norm = renormalise(model.norm_pre, samples[PRE_NORM].rows, residual_step)
    initial, patch = _embedding(network, model, samples[PATCHES].rows, embedding_step)
    norm, classifier, mean, logit_step = quantise_readout(network, model, samples, residual_step)
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
        classifier=classifier,
        pre_norm=pre_norm,
        mean=mean,
    )
    preprocessing = Preprocessing.of(model)
    return IntegerNetwork(network, parameters, residual_step, logit_step, preprocessing)


def _layer(
    network: Network,
    block: Block,
    residual_step: float,
    norm1_input: Tensor,
    mixed: Tensor,
    norm2_input: Tensor,
    qkv: Tensor,
    preactivation: Tensor,
) -> Layer:
    attention, mlp = block.attn, block.mlp
    norm1, normed1 = quantise_norm(block.norm1, norm1_input, attention.qkv.weight)
    heads = Heads(network, qkv, mixed)
    norm2, normed2 = quantise_norm(block.norm2, norm2_input, mlp.fc1.weight)
    table = NonlinearityTable.fit(mlp.act, preactivation)
    hidden = table.output(preactivation)
    return Layer(
        norm1=norm1,
        qkv=heads.linear(attention.qkv, normed1),
        heads=heads.scales,
        projection=quantise_linear(*_scaled(attention.proj, block.ls1), heads.mixed, residual_step),
        norm2=norm2,
        ffn1=quantise_linear(
            mlp.fc1.weight, bias_of(mlp.fc1) - table.input_offset, normed2, table.input_step
        ),
        nonlinearity=table.entries.to(torch.int8),
        ffn2=quantise_linear(*_scaled(mlp.fc2, block.ls2), hidden, residual_step),
    )


def _scaled(layer: nn.Linear, scale: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias with the LayerScale behind a layer (Touvron et al., ICCV 2021), if any."""
    if isinstance(scale, nn.Identity):
        return layer.weight, bias_of(layer)
    return layer.weight * scale.gamma[:, None], bias_of(layer) * scale.gamma


def _embedding(
    network: Network, model: VisionTransformer, patches: Tensor, step: float
) -> tuple[Tensor, Linear]:
    """Initial residual stream, and the patch embedding for pixels less PIXEL_OFFSET."""
    convolution = model.patch_embed.proj
    preprocessing = Preprocessing.of(model)
    mean, std = (
        torch.tensor(values).repeat_interleave(patches.shape[1] // network.colours)
        for values in (preprocessing.mean, preprocessing.std)
    )
    integer = ((patches * std + mean) * WHITE).round() - PIXEL_OFFSET
    x = Activation(1 / (WHITE * std), patches, integer)
    layer, bias = without_bias(convolution.weight.flatten(1), bias_of(convolution), x, step)
    # Every patch has the bias; timm adds positions, and the prefix in front.
    flat = (1, *network.grid) if model.dynamic_img_size else (1, network.patch_tokens)
    initial = model._pos_embed(bias.expand(*flat, -1))[0]
    return to_integers(initial / step, RESIDUAL_BITS).to(torch.int16), layer
