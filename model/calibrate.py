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

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from timm.data import resolve_model_data_config
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from model.golden import saturate
from model.images import ImageFolder
from model.integer.forward import PIXEL_OFFSET
from model.integer.network import IntegerNetwork, Layer, Linear, Norm, Parameters
from model.networks import COLOURS, Network
from model.quantise import head_scales
from model.reference import FloatReference
from rtl_gen.errors import UserError
from rtl_gen.numerics import (
    LOGIT_BITS,
    NORM_CHANNEL_SHIFT_BITS,
    NORM_MEAN_FRACTION_BITS,
    RESIDUAL_BITS,
    Scale,
)

HEADROOM = 1.5
"""The largest residual and logit seen may grow by so much on other images."""

WHITE = 255
"""The largest value of a pixel."""

CLIPPING = [1 - index / 25 for index in range(20)]
"""Ranges that are tried, as fractions of the largest magnitude."""

STEPS_PER_OCTAVE = 8
CLIPPED_OCTAVES = 3
"""Steps of a norm that are tried: down to 2^-3 of the one that clips no sample of any channel."""

DAMPING = 0.1
"""Of the inputs' mean variance: what is added to each when weights are rounded."""

GELU_LOWS = [-low / 4 for low in range(6, 20, 2)]
"""Lower ends of a table's inputs that are tried."""

GELU_BINS = 8192
"""Of the histogram of inputs that decides on a table."""

ROWS_PER_IMAGE = 8
"""Token rows of an image that enter the statistics: CLS, on which all logits depend, and random
others."""

PATCHES = "patch_embed.proj"
WATCHED_INPUTS = ("norm1", "attn.proj", "norm2")
WATCHED_OUTPUTS = ("attn.qkv", "mlp.fc1")
"""Of each block; the patches, the final norm's input and the classifier's output come on top."""


@dataclass
class Samples:
    """Rows of one tensor's channels: some of all that there were, and their largest magnitude."""

    parts: list[Tensor] = field(default_factory=list)
    largest: float = 0.0

    @property
    def rows(self) -> Tensor:
        return torch.cat(self.parts)


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
    try:
        return quantise(reference.network, reference.model, samples)
    except ValueError as error:
        raise UserError(
            f"the ranges of the activations do not fit the integers ({error}): expected trained "
            "weights and more images"
        ) from error


@torch.inference_mode()
def collect(
    model: VisionTransformer,
    run: Callable[[Tensor], object],
    batches: Iterable[Tensor],
    seed: int = 0,
) -> dict[str, Samples]:
    """Samples of the watched tensors, by module name, while `run` takes the batches of images."""
    generator = torch.Generator().manual_seed(seed)
    samples: dict[str, Samples] = {}
    handles = []

    def watch(name: str, *, output: bool) -> None:
        samples[name] = Samples()

        def hook(module: nn.Module, arguments: tuple[Tensor], result: Tensor) -> None:
            values = result if output else arguments[0]
            samples[name].largest = max(samples[name].largest, values.abs().max().item())
            if name == PATCHES:
                values = _patches(module, values)
            if name == "norm":
                values = values[:, 0]
            elif values.dim() == 3:
                order = torch.rand(values.shape[:2], generator=generator)
                order[:, 0] = -1
                chosen = order.argsort(dim=1)[:, :ROWS_PER_IMAGE, None]
                values = torch.take_along_dim(values, chosen, dim=1).flatten(0, 1)
            samples[name].parts.append(values.clone())

        handles.append(model.get_submodule(name).register_forward_hook(hook))

    for index in range(len(model.blocks)):
        for part in WATCHED_INPUTS:
            watch(f"blocks.{index}.{part}", output=False)
        for part in WATCHED_OUTPUTS:
            watch(f"blocks.{index}.{part}", output=True)
    watch(PATCHES, output=False)
    watch("norm", output=False)
    watch("head", output=True)
    try:
        for images in batches:
            run(images)
    finally:
        for handle in handles:
            handle.remove()
    return samples


@dataclass(frozen=True)
class Activation:
    """An int8 tensor: what is real is step * integer + offset, each one number or one a channel.

    real, integer: samples (rows, channels), before and after rounding
    """

    step: Tensor
    real: Tensor
    integer: Tensor


def quantise(
    network: Network, model: VisionTransformer, samples: dict[str, Samples]
) -> IntegerNetwork:
    """The integer network from samples of its tensors."""
    residual_step = (
        max(s.largest for name, s in samples.items() if "norm" in name)
        * HEADROOM
        / (1 << (RESIDUAL_BITS - 1))
    )
    logit_step = samples["head"].largest * HEADROOM / (1 << (LOGIT_BITS - 1))
    initial, patch = _embedding(model, samples[PATCHES].rows, residual_step)
    norm, normed = _norm(model.norm, samples["norm"].rows, model.head.weight)
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
        classifier=_linear(model.head.weight, model.head.bias, normed, logit_step),
    )
    return IntegerNetwork(network, parameters, residual_step, logit_step)


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
    norm1, normed1 = _norm(block.norm1, norm1_input, attention.qkv.weight)
    heads = _Heads(network, qkv, mixed)
    norm2, normed2 = _norm(block.norm2, norm2_input, mlp.fc1.weight)
    table = _GeluTable.fit(gelu_input)
    return Layer(
        norm1=norm1,
        qkv=heads.linear(attention.qkv, normed1),
        heads=heads.scales,
        projection=_linear(attention.proj.weight, attention.proj.bias, heads.mixed, residual_step),
        norm2=norm2,
        ffn1=_linear(mlp.fc1.weight, mlp.fc1.bias - table.input_offset, normed2, table.input_step),
        gelu=table.entries.to(torch.int8),
        ffn2=_linear(mlp.fc2.weight, mlp.fc2.bias, table.output(gelu_input), residual_step),
    )


def _embedding(
    model: VisionTransformer, patches: Tensor, residual_step: float
) -> tuple[Tensor, Linear]:
    """Initial residual stream, and the patch embedding for pixels less PIXEL_OFFSET."""
    convolution = model.patch_embed.proj
    config = resolve_model_data_config(model)
    mean, std = (
        torch.tensor(config[key]).repeat_interleave(patches.shape[1] // COLOURS)
        for key in ("mean", "std")
    )
    integer = ((patches * std + mean) * WHITE).round() - PIXEL_OFFSET
    x = Activation(1 / (WHITE * std), patches, integer)
    layer, bias = _without_bias(convolution.weight.flatten(1), convolution.bias, x, residual_step)
    initial = model.pos_embed[0].clone()
    initial[0] += model.cls_token[0, 0]
    initial[1:] += bias
    return _to_integers(initial / residual_step, RESIDUAL_BITS).to(torch.int16), layer


def _patches(convolution: nn.Conv2d, images: Tensor) -> Tensor:
    """(b, n - 1, K) of images (b, 3, h, w), in the order of the convolution's weights."""
    side = convolution.kernel_size
    return functional.unfold(images, side, stride=side).mT


def _norm(norm: nn.LayerNorm, residual: Tensor, weight: Tensor) -> tuple[Norm, Activation]:
    """A norm whose outputs go to a layer of `weight` (M, D), and its outputs."""
    dim = residual.shape[1]
    normed = functional.layer_norm(residual, (dim,), eps=norm.eps)
    influence = (weight * norm.weight).square().sum(dim=0)
    unclipped = normed.abs().amax(dim=0).min().item() / 127
    octaves = CLIPPED_OCTAVES + (1 << NORM_CHANNEL_SHIFT_BITS)
    exponents = torch.arange(octaves * STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE - CLIPPED_OCTAVES
    steps = unclipped * 2.0**exponents
    errors = torch.stack([_squared_error(normed, step).mean(dim=0) * influence for step in steps])
    shifts = STEPS_PER_OCTAVE * torch.arange(1 << NORM_CHANNEL_SHIFT_BITS)
    candidates = range(CLIPPED_OCTAVES * STEPS_PER_OCTAVE, -1, -1)
    first = min(candidates, key=lambda index: errors[index + shifts].amin(dim=0).sum().item())
    step = steps[first].item()
    shift = errors[first + shifts].argmin(dim=0)
    channel_step = step * 2.0**shift
    integer = _to_integers(normed / channel_step, 8)
    scale = Scale.nearest(dim / ((1 << NORM_MEAN_FRACTION_BITS) * step))
    return Norm(scale, shift.to(torch.uint8)), Activation(
        channel_step * norm.weight, normed * norm.weight + norm.bias, integer
    )


class _Heads:
    """Steps and channel scales of q, k, v and of the outputs of all heads of a layer.

    qkv: (rows, 3 D) float, in timm's order: q of all heads, then k, then v
    mixed: (rows, D) float outputs of attention
    """

    def __init__(self, network: Network, qkv: Tensor, mixed: Tensor):
        self._shape = (3, network.heads, network.head_dim)
        q, k, v = qkv.unflatten(1, self._shape).unbind(1)
        outputs = mixed.unflatten(1, self._shape[1:])
        centre = k.mean(dim=0)
        k = k - centre
        balance = (_rms(k) / _rms(q)).sqrt()
        spread = (_rms(v) * _rms(outputs)).rsqrt()
        self._gain = torch.stack([balance, 1 / balance, spread])  # (3, H, d)
        self._centre = torch.stack([torch.zeros_like(centre), centre, torch.zeros_like(centre)])
        steps = torch.tensor(
            [
                [_step(x[:, h]) for h in range(network.heads)]
                for x in (q * balance, k / balance, v * spread)
            ]
        )
        out_step = _step(outputs * spread)
        self._step = steps[:, :, None].expand(self._shape)
        self.scales = tuple(
            head_scales(*steps[:, h].tolist(), out_step, network.head_dim)
            for h in range(network.heads)
        )
        step = (out_step / spread).flatten()
        self.mixed = Activation(step, mixed, _to_integers(mixed / step, 8))

    def linear(self, qkv: nn.Linear, normed: Activation) -> Linear:
        """The QKV layer, its outputs in the hardware's order: head, then q, k, v."""
        gain = self._gain[..., None]
        weight = qkv.weight.unflatten(0, self._shape) * gain
        bias = (qkv.bias.unflatten(0, self._shape) - self._centre) * self._gain
        ordered = (x.transpose(0, 1).flatten(0, 2) for x in (weight, bias, self._step))
        weight, bias, step = ordered
        return _linear(weight, bias, normed, step)


@dataclass(frozen=True)
class _GeluTable:
    """GELU from inputs between `low` and `high`, outputs over all of int8."""

    low: float
    high: float

    @classmethod
    def fit(cls, samples: Tensor) -> "_GeluTable":
        """The table of least squared error; inputs outside its range saturate."""
        counts, edges = torch.histogram(samples.flatten(), GELU_BINS)
        values = (edges[1:] + edges[:-1]) / 2
        largest = edges[-1].item()
        candidates = [cls(low, largest * fraction) for low in GELU_LOWS for fraction in CLIPPING]
        return min(candidates, key=lambda table: table._error(values) @ counts)

    @property
    def input_step(self) -> float:
        return (self.high - self.low) / 255

    @property
    def input_offset(self) -> float:
        """The input that integer 0 stands for."""
        return self.low + 128 * self.input_step

    @property
    def output_step(self) -> float:
        return (self._outputs.max() - self._outputs.min()).item() / 255

    @property
    def entries(self) -> Tensor:
        """(256,) int8 values."""
        return ((self._outputs - self._outputs.min()) / self.output_step).round().long() - 128

    @property
    def _outputs(self) -> Tensor:
        return functional.gelu(torch.linspace(self.low, self.high, 256))

    def apply(self, values: Tensor) -> Tensor:
        index = ((values - self.low) / self.input_step).round().long().clamp(0, 255)
        return self.entries[index]

    def output(self, samples: Tensor) -> Activation:
        step = torch.tensor(self.output_step)
        return Activation(step, functional.gelu(samples), self.apply(samples))

    def _error(self, values: Tensor) -> Tensor:
        restored = (self.apply(values) + 128) * self.output_step + self._outputs.min()
        return (restored - functional.gelu(values)).square()


def _linear(weight: Tensor, bias: Tensor, x: Activation, out_step: float | Tensor) -> Linear:
    """Outputs in units of `out_step` (one number or one a channel)."""
    layer, real_bias = _without_bias(weight, bias, x, out_step)
    scale = layer.multiplier.double() * 2.0 ** -layer.shift.double() * out_step
    return Linear(
        layer.weight, (real_bias / scale).round().to(torch.int32), layer.multiplier, layer.shift
    )


def _without_bias(
    weight: Tensor, bias: Tensor, x: Activation, out_step: float | Tensor
) -> tuple[Linear, Tensor]:
    """The layer without its bias, and the bias in float."""
    folded = weight * x.step
    inputs = x.integer.float()
    mean = inputs.mean(dim=0)
    covariance = (inputs - mean).T @ (inputs - mean) / len(inputs)
    step = _row_steps(folded, covariance.diagonal())
    integer = _round_weights(folded / step[:, None], covariance)
    bias = bias + weight @ x.real.mean(dim=0) - step * (integer @ mean)
    scales = [Scale.nearest(factor) for factor in (step / out_step).tolist()]
    layer = Linear(
        weight=integer.to(torch.int8),
        bias=torch.zeros(len(weight), dtype=torch.int32),
        multiplier=torch.tensor([scale.multiplier for scale in scales], dtype=torch.int32),
        shift=torch.tensor([scale.shift for scale in scales], dtype=torch.uint8),
    )
    return layer, bias


def _round_weights(weight: Tensor, covariance: Tensor) -> Tensor:
    """int8 values of weights (M, K), each column making up for the rounding of those before it.

    GPTQ (Frantar et al., ICLR 2023): least error of the outputs for inputs of a covariance (K, K).
    """
    damping = DAMPING * covariance.diagonal().mean() * torch.eye(len(covariance))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(covariance + damping))
    factor = torch.linalg.cholesky(inverse, upper=True)
    weight, rounded = weight.clone(), torch.empty_like(weight)
    for column in range(weight.shape[1]):
        rounded[:, column] = weight[:, column].round().clamp(-128, 127)
        error = (weight[:, column] - rounded[:, column]) / factor[column, column]
        weight[:, column:] -= error[:, None] * factor[column, column:]
    return rounded


def _row_steps(weight: Tensor, power: Tensor) -> Tensor:
    """(M,) steps of least squared error of weights (M, K) whose inputs have a mean square (K,)."""
    largest = weight.abs().amax(dim=1) / 127
    candidates = torch.stack([largest * fraction for fraction in CLIPPING])
    errors = torch.stack(
        [(_squared_error(weight, step[:, None]) * power).sum(dim=1) for step in candidates]
    )
    return candidates.gather(0, errors.argmin(dim=0, keepdim=True))[0]


def _step(samples: Tensor) -> float:
    """The symmetric int8 step of least squared error."""
    largest = samples.abs().max().item() / 127
    return min(
        (largest * fraction for fraction in CLIPPING),
        key=lambda step: _squared_error(samples, step).sum().item(),
    )


def _squared_error(x: Tensor, step: float | Tensor) -> Tensor:
    return ((x / step).round().clamp(-128, 127) * step - x).square()


def _to_integers(x: Tensor, bits: int) -> Tensor:
    return saturate(x.round().long(), bits)


def _rms(x: Tensor) -> Tensor:
    return x.square().mean(dim=0).sqrt()
