"""Post-training quantisation: a timm network and some images become an `IntegerNetwork`.

The float network runs over the calibration images; from what it shows follow

* the step of the residual stream and of the logits: the largest magnitude, with room to spare;
* every int8 range: of a grid of clipping points the one of least squared error;
* the channel shifts of a norm: for each channel the shift of least squared error, for the step of
  least total error, weighted by what the next layer's weights make of it;
* free choices inside a head: q and k of a channel share their spread (what one gains in scale the
  other loses), the bias of k centres it (softmax does not see what all keys have in common), and
  the scale of a channel of v moves into the projection;
* the biases: the mean of a layer's outputs over the calibration images is that of the float
  network, which takes care of LayerNorm's offsets, of GELU's zero points and of the mean error of
  rounded weights (bias correction: Nagel et al., ICCV 2019).

Normalisation of images is part of the patch embedding, whose inputs are exact: pixels less 128.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from model.golden import saturate
from model.integer.forward import COLOURS, PIXEL_OFFSET
from model.integer.network import IntegerNetwork, Layer, Linear, Norm, Parameters
from model.networks import Network
from model.quantise import head_scales
from rtl_gen.numerics import (
    LOGIT_BITS,
    NORM_CHANNEL_SHIFT_BITS,
    NORM_MEAN_FRACTION_BITS,
    RESIDUAL_BITS,
    Scale,
)

HEADROOM = 1.5
"""The largest residual and logit seen may grow by so much on other images."""

CLIPPING = [1 - index / 50 for index in range(40)]
"""Ranges that are tried, as fractions of the largest magnitude."""

ROWS_PER_IMAGE = 24
"""Token rows of an image that enter the statistics: CLS and random others."""

WATCHED_INPUTS = ("norm1", "attn.proj", "norm2")
WATCHED_OUTPUTS = ("attn.qkv", "mlp.fc1")
"""Of each block; the final norm's input and the classifier's output come on top."""


def pixels_of(model: VisionTransformer, images: Tensor) -> Tensor:
    """uint8 pixels of images (b, 3, h, w) that were normalised for `model`."""
    mean, std = _normalisation(model)
    return ((images * std + mean) * 255).round().to(torch.uint8)


@dataclass
class Samples:
    """Rows of one tensor's channels: some of all that there were, and their largest magnitude."""

    parts: list[Tensor] = field(default_factory=list)
    largest: float = 0.0

    @property
    def rows(self) -> Tensor:
        return torch.cat(self.parts)


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

        def hook(_: nn.Module, arguments: tuple[Tensor], result: Tensor) -> None:
            values = result if output else arguments[0]
            samples[name].largest = max(samples[name].largest, values.abs().max().item())
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
    network: Network, model: VisionTransformer, samples: dict[str, Samples], pixels: Tensor
) -> IntegerNetwork:
    """The integer network from samples of its tensors and pixels (b, 3, h, w) of some images."""
    residual_step = (
        max(s.largest for name, s in samples.items() if "norm" in name)
        * HEADROOM
        / (1 << (RESIDUAL_BITS - 1))
    )
    logit_step = samples["head"].largest * HEADROOM / (1 << (LOGIT_BITS - 1))
    initial, patch = _embedding(model, pixels, residual_step)
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
    table = _GeluTable(gelu_input)
    return Layer(
        norm1=norm1,
        qkv=heads.linear(attention.qkv, normed1),
        heads=heads.scales,
        projection=_linear(attention.proj.weight, attention.proj.bias, heads.mixed, residual_step),
        norm2=norm2,
        ffn1=_linear(mlp.fc1.weight, mlp.fc1.bias - table.input_offset, normed2, table.input_step),
        gelu=table.entries,
        ffn2=_linear(mlp.fc2.weight, mlp.fc2.bias, table.output, residual_step),
    )


def _embedding(
    model: VisionTransformer, pixels: Tensor, residual_step: float
) -> tuple[Tensor, Linear]:
    """Initial residual stream, and the patch embedding for pixels less PIXEL_OFFSET."""
    mean, std = _normalisation(model)
    convolution = model.patch_embed.proj
    centred = pixels.float() - PIXEL_OFFSET
    side = convolution.kernel_size
    integer = functional.unfold(centred, side, stride=side).mT.flatten(0, 1)
    ones = torch.ones(COLOURS, *side)
    step = (ones / (255 * std)).flatten()
    real = integer * step + ((PIXEL_OFFSET / 255 - mean) / std * ones).flatten()
    linear, bias = _linear_and_bias(
        convolution.weight.flatten(1),
        convolution.bias,
        Activation(step, real, integer),
        residual_step,
    )
    initial = model.pos_embed[0].clone()
    initial[0] += model.cls_token[0, 0]
    initial[1:] += bias
    return _to_integers(initial / residual_step, RESIDUAL_BITS).to(torch.int16), linear


def _norm(norm: nn.LayerNorm, residual: Tensor, weight: Tensor) -> tuple[Norm, Activation]:
    """A norm whose outputs go to a layer of `weight` (M, D), and its outputs."""
    dim = residual.shape[1]
    normed = functional.layer_norm(residual, (dim,), eps=norm.eps)
    influence = (weight * norm.weight).square().sum(dim=0)
    shifts = torch.arange(1 << NORM_CHANNEL_SHIFT_BITS)
    smallest = normed.abs().amax(dim=0).min().item() / 127

    def errors(step: float) -> Tensor:
        """(shifts, D) weighted squared errors."""
        return torch.stack(
            [_squared_error(normed, step * 2.0**k).sum(dim=0) * influence for k in shifts]
        )

    steps = [smallest * 2.0 ** (-index / 8) for index in range(24)]
    step = min(steps, key=lambda step: errors(step).amin(dim=0).sum().item())
    shift = errors(step).argmin(dim=0)
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


class _GeluTable:
    """GELU between int8 ranges: input = step * (integer + 128) + input_low, output alike."""

    def __init__(self, samples: Tensor):
        values = samples.flatten()
        values = values[:: max(1, len(values) // 200_000)]
        largest = values.max().item()
        ranges = [
            (-low / 4, largest * fraction) for low in range(6, 24, 2) for fraction in CLIPPING[::2]
        ]
        self._fit(*min(ranges, key=lambda bounds: self._error(values, *bounds)))
        self.output = Activation(
            torch.tensor(self._out_step), functional.gelu(samples), self._apply(samples)
        )

    def _fit(self, low: float, high: float) -> None:
        inputs = torch.linspace(low, high, 256, dtype=torch.float64)
        outputs = functional.gelu(inputs)
        self.input_step = (high - low) / 255
        self.input_offset = low + 128 * self.input_step
        self._out_low = outputs.min().item()
        self._out_step = (outputs.max().item() - self._out_low) / 255
        self.entries = ((outputs - self._out_low) / self._out_step).round().sub(128).to(torch.int8)

    def _apply(self, values: Tensor) -> Tensor:
        index = _to_integers((values - self.input_offset) / self.input_step, 8) + 128
        return self.entries[index].long()

    def _error(self, values: Tensor, low: float, high: float) -> float:
        self._fit(low, high)
        restored = (self._apply(values) + 128) * self._out_step + self._out_low
        return (restored - functional.gelu(values)).square().sum().item()


def _linear(weight: Tensor, bias: Tensor, x: Activation, out_step: float | Tensor) -> Linear:
    """Outputs in units of `out_step` (one number or one a channel)."""
    layer, real_bias = _linear_and_bias(weight, bias, x, out_step)
    scale = layer.multiplier.double() * 2.0 ** -layer.shift.double() * out_step
    return Linear(
        layer.weight, (real_bias / scale).round().to(torch.int32), layer.multiplier, layer.shift
    )


def _linear_and_bias(
    weight: Tensor, bias: Tensor, x: Activation, out_step: float | Tensor
) -> tuple[Linear, Tensor]:
    """The layer without its bias, and the bias in float."""
    folded = weight * x.step
    power = x.integer.float().square().mean(dim=0)
    step = _row_steps(folded, power)
    integer = _to_integers(folded / step[:, None], 8)
    bias = (
        bias
        + weight @ x.real.mean(dim=0)
        - (step[:, None] * integer).float() @ x.integer.float().mean(dim=0)
    )
    scales = [Scale.nearest(factor) for factor in (step / out_step).tolist()]
    layer = Linear(
        weight=integer.to(torch.int8),
        bias=torch.zeros(len(weight), dtype=torch.int32),
        multiplier=torch.tensor([scale.multiplier for scale in scales], dtype=torch.int32),
        shift=torch.tensor([scale.shift for scale in scales], dtype=torch.uint8),
    )
    return layer, bias


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


def _normalisation(model: VisionTransformer) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (3, 1, 1) of the images that a model expects."""
    return tuple(torch.tensor(model.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
