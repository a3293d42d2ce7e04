"""SQNR and cosine by plain formulas; the integers of a toy network against its floats."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from model.data.image_folder import ImageFolder
from model.evaluation.integer_accuracy import pixels_of
from model.evaluation.integer_loss import TENSORS, Moments, measure_losses
from model.integer.forward import patches_of, trace
from model.network.shape import Network
from model.pruning.schedule import PruningSchedule
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference


def test_moments_equal_a_fit():
    """Gain and offset of each channel by numpy's own least squares, rows added in two parts."""
    rng = np.random.default_rng(4)
    x = rng.integers(-128, 128, (50, 3))
    y = x * [0.1, -0.02, 0.0] + [3.0, 0.5, 1.0] + rng.normal(0, 0.4, (50, 3))
    moments = Moments()
    for part in (slice(0, 20), slice(20, 50)):
        moments.add(torch.from_numpy(x[part]), torch.from_numpy(y[part]))
    fitted = np.stack([np.polyval(np.polyfit(x[:, c], y[:, c], 1), x[:, c]) for c in range(3)], 1)
    error = ((y - fitted) ** 2).sum()
    assert moments.rows == 50
    assert moments.sqnr == pytest.approx(10 * math.log10((y**2).sum() / error))
    cosine = (y * fitted).sum() / np.linalg.norm(y) / np.linalg.norm(fitted)
    assert moments.cosine == pytest.approx(cosine)


def test_exact_and_constant_channels():
    x = torch.tensor([[1, 5], [2, 5], [4, 5]])
    exact = Moments()
    exact.add(x, torch.stack([x[:, 0] * 0.5 + 1, torch.full((3,), 2.0)], dim=1))
    assert exact.sqnr > 120
    assert exact.cosine == pytest.approx(1)
    lost = Moments()
    lost.add(x[:, 1:], torch.tensor([[1.0], [2.0], [3.0]]))
    assert lost.sqnr == pytest.approx(10 * math.log10(14 / 2))


def test_network(toy_network: Network, toy_model: VisionTransformer, image_folder: Path):
    """Every tensor follows its float; x_out of the last layer by hand; rows are live tokens."""
    folder = ImageFolder(image_folder)
    schedule = PruningSchedule(start=0.1, end=0.5, first_layer=2)
    dense = FloatReference(network=toy_network, model=toy_model)
    pruned = FloatReference(network=toy_network, model=toy_model, schedule=schedule)
    integer = quantise_network(dense, folder)
    losses = measure_losses(integer, dense, folder, 3)
    names = [f"layers.{i}.{name}" for i in range(toy_network.layers) for name in TENSORS]
    assert losses.moments.keys() == {*names, "logits"}
    assert losses.survivors == [(7 * 17, 7 * 17)] * toy_network.layers
    assert all(moments.sqnr > 15 for moments in losses.moments.values())
    assert losses.moments["layers.0.norm1"].sqnr > losses.moments["layers.3.norm1"].sqnr
    ((images, _),) = folder.batches(toy_model, 7)
    outputs = []
    toy_model.norm.register_forward_hook(lambda _, inputs, __: outputs.append(inputs[0]))
    toy_model(images)
    found = trace(integer, patches_of(toy_network, pixels_of(dense, images)))["layers.3.x_out"]
    by_hand = Moments()
    by_hand.add(found.flatten(0, 1), outputs[0].flatten(0, 1))
    assert losses.moments["layers.3.x_out"].sqnr == pytest.approx(by_hand.sqnr, rel=1e-3)

    losses = measure_losses(integer, pruned, folder, 3)
    tokens = schedule.layer_tokens(toy_network)
    for layer, (both, every) in enumerate(losses.survivors):
        assert every == 7 * tokens[layer].leaving
        assert 0.8 * every < both <= every
        assert losses.moments[f"layers.{layer}.x_out"].rows == both
        assert losses.moments[f"layers.{layer}.x_out"].sqnr > 10
