"""Steps and scales of the heads of a layer."""

import torch
from torch import Tensor, nn

from model.integer.network import Linear
from model.network.shape import Network
from model.quantisation.attention import head_scales
from model.quantisation.linear import Activation, bias_of, quantise_linear
from model.quantisation.steps import best_step, to_integers


class Heads:
    """Steps and channel scales of q, k, v and of the outputs of all heads of a layer.

    A channel that is 0, as in a head that was pruned, keeps its scale. The step of a tensor that is
    all 0 is of no consequence: it takes that of the outputs.

    qkv: (rows, 3 D) float, in timm's order: q of all heads, then k, then v
    mixed: (rows, D) float outputs of attention
    """

    def __init__(self, network: Network, qkv: Tensor, mixed: Tensor):
        self._shape = (3, network.heads, network.head_dim)
        q, k, v = qkv.unflatten(1, self._shape).unbind(1)
        outputs = mixed.unflatten(1, self._shape[1:])
        centre = k.mean(dim=0)
        k = k - centre
        balance = _or_one((_rms(k) / _rms(q)).sqrt())
        spread = _or_one((_rms(v) * _rms(outputs)).rsqrt())
        self._gain = torch.stack([balance, 1 / balance, spread])  # (3, H, d)
        self._centre = torch.stack([torch.zeros_like(centre), centre, torch.zeros_like(centre)])
        steps = torch.tensor(
            [
                [best_step(x[:, h]) for h in range(network.heads)]
                for x in (q * balance, k / balance, v * spread)
            ]
        )
        out_step = best_step(outputs * spread) or 1.0
        steps[steps == 0] = out_step
        self._step = steps[:, :, None].expand(self._shape)
        self.scales = tuple(
            head_scales(q_step, k_step, v_step, out_step, network.head_dim)
            for q_step, k_step, v_step in steps.T.tolist()
        )
        step = (out_step / spread).flatten()
        self.mixed = Activation(step, mixed, to_integers(mixed / step, 8))

    def linear(self, qkv: nn.Linear, normed: Activation) -> Linear:
        """The QKV layer, its outputs in the hardware's order: head, then q, k, v."""
        gain = self._gain[..., None]
        weight = qkv.weight.unflatten(0, self._shape) * gain
        bias = (bias_of(qkv).unflatten(0, self._shape) - self._centre) * self._gain
        ordered = (x.transpose(0, 1).flatten(0, 2) for x in (weight, bias, self._step))
        weight, bias, step = ordered
        return quantise_linear(weight, bias, normed, step)


def _rms(x: Tensor) -> Tensor:
    return x.square().mean(dim=0).sqrt()


def _or_one(factor: Tensor) -> Tensor:
    """A factor, or 1 where a quotient of zeros gives none."""
    return torch.where(factor.isfinite() & (factor > 0), factor, 1.0)
