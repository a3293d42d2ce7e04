"""From the residual stream that leaves the last layer to the classifier's integers."""

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from model.integer.network import Linear, Norm, Renormalisation
from model.network.readout import Readout
from model.network.shape import Network
from model.quantisation.linear import Activation, bias_of, quantise_linear
from model.quantisation.norm import quantise_norm, quantise_plain
from model.quantisation.samples import LOGITS, NORM, READ_OUT, Samples
from model.quantisation.steps import step_below
from rtl_gen.numerics import LOGIT_BITS, RESIDUAL_BITS


def quantise_readout(
    network: Network,
    model: VisionTransformer,
    samples: dict[str, Samples],
    residual_step: float,
) -> tuple[Norm, Linear, Renormalisation | None, float]:
    """Norm and classifier, what normalises tokens before a mean, and the step of the logits."""
    weight, bias = classifier(network, model)
    # Of two tokens side by side, both have the same norm.
    a_token = torch.cat(weight.split(network.dim, dim=1))
    rows, mean = samples[READ_OUT].rows, None
    if network.averages_normalised:
        residual_step = step_below(samples[READ_OUT].largest, RESIDUAL_BITS)
        mean = renormalise(model.norm, samples[NORM].rows, residual_step)
    if network.plain_readout:
        norm, normed = quantise_plain(rows.flatten(0, -2), residual_step, a_token)
    else:
        norm, normed = quantise_norm(final_norm(model), rows.flatten(0, -2), a_token)
    logit_step = step_below(samples[LOGITS].largest, LOGIT_BITS)
    read = _side_by_side(normed, network.read_tokens)
    return norm, quantise_linear(weight, bias, read, logit_step), mean, logit_step


def renormalise(norm: nn.LayerNorm, rows: Tensor, out_step: float) -> Renormalisation:
    """A norm of samples (rows, D) whose outputs, gain and offset included, have a step."""
    identity = torch.eye(rows.shape[1])
    quantised, normed = quantise_norm(norm, rows, identity)
    offset = torch.zeros(len(identity))
    return Renormalisation(quantised, quantise_linear(identity, offset, normed, out_step))


def classifier(network: Network, model: VisionTransformer) -> tuple[Tensor, Tensor]:
    """Weight (M, r D) and bias (M,) for the r tokens that are read out; the identity without
    classes.
    """
    heads = [model.head]
    if network.readout is Readout.DISTILLED:
        heads.append(model.head_dist)
    weights, biases = [], []
    for head in heads:
        if isinstance(head, nn.Identity):
            weights.append(torch.eye(network.dim))
            biases.append(torch.zeros(network.dim))
        else:
            weights.append(head.weight)
            biases.append(bias_of(head))
    return torch.cat(weights, dim=1) / len(heads), torch.stack(biases).mean(dim=0)


def final_norm(model: VisionTransformer) -> nn.LayerNorm:
    """The one that a network has behind its last layer."""
    return model.fc_norm if isinstance(model.norm, nn.Identity) else model.norm


def _side_by_side(normed: Activation, tokens: int) -> Activation:
    """Rows (b r, D) as (b, r D)."""
    return Activation(
        normed.step.repeat(tokens),
        normed.real.unflatten(0, (-1, tokens)).flatten(1),
        normed.integer.unflatten(0, (-1, tokens)).flatten(1),
    )
