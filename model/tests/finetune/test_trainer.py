"""Fine-tuning of a toy network: what learns, and what stays fixed."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from model.finetune.distillation import distances, passage, relative_error
from model.finetune.recipe import Recipe
from model.reference.forward import FloatReference
from model.tests.toy_training import RECIPE, SCHEDULE
from rtl_gen.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(7))


def test_steps_lower_the_loss(toy_network, toy_model, new_trainer, images):
    before = {name: value.clone() for name, value in toy_model.state_dict().items()}
    recipe = Recipe(**{**vars(RECIPE), "steps": 24, "warmup": 0.1})
    trainer = new_trainer(recipe)
    for _ in range(recipe.steps):
        trainer.step(images)
    history = pd.DataFrame([row[1:] for row in trainer.history])
    for _, rows in history.groupby(0):
        assert rows[5].iloc[-1] < 0.7 * rows[5].iloc[0]
    assert history[0].mean() == recipe.prune_share
    assert history[1].idxmax() == 1
    assert all(torch.equal(value, before[name]) for name, value in toy_model.state_dict().items())
    averaged = trainer.reference(trainer.average.module, pruned=True)
    untrained = trainer.reference(toy_model, pruned=True)
    wanted = passage(FloatReference(network=toy_network, model=toy_model), images)
    with torch.no_grad():
        after, before = (distances(passage(r, images), wanted) for r in (averaged, untrained))
    assert after.logits < 0.7 * before.logits


@pytest.mark.parametrize("pruned", [False, True])
def test_masks_stay_fixed(toy_network, toy_masks, new_trainer, images, pruned):
    """Dropped entries: exactly no attention, as many survivors as the schedule says."""
    kept = toy_masks.copy()
    trainer = new_trainer()
    for _ in range(3):
        trainer.step(images)
    traces = []
    trainer.reference(trainer.student, pruned=pruned).forward(images, traces.append)
    expected = [count.attention for count in SCHEDULE.layer_tokens(toy_network)]
    assert [trace.live.shape[1] for trace in traces] == (expected if pruned else [17] * 4)
    for trace in traces:
        for index, live in enumerate(trace.live.numpy()):
            dropped = ~kept[trace.layer][:, live][:, :, live]
            found = trace.probabilities[index].numpy()
            assert (found[dropped] == 0).all()
            assert (found[~dropped] > 0).all()


def test_gradients_flow_through_survivors(toy_network, toy_model, toy_masks, images):
    """The slope along a direction in the weights, from the loss at both sides of it."""
    student = toy_model.double().requires_grad_(True)
    reference = FloatReference(
        network=toy_network, model=student, masks=toy_masks, schedule=SCHEDULE
    )
    weight = student.blocks[1].attn.qkv.weight
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)).double()
    images = images.double()
    reference.differentiable(images).square().mean().backward()
    slope = (weight.grad * direction).sum().item()
    sides = []
    for distance in (1e-6, -2e-6):
        with torch.no_grad():
            weight += distance * direction
        sides.append(reference.forward(images).square().mean().item())
    assert slope == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-4)


def test_rows_that_keep_nothing_have_finite_gradients(toy_network, toy_model, toy_masks, images):
    toy_masks[2:, :, :, :] = False
    toy_masks[2:, :, :, 5] = True
    student = toy_model.requires_grad_(True)
    reference = FloatReference(
        network=toy_network, model=student, masks=toy_masks, schedule=SCHEDULE
    )
    traces = []
    reference.differentiable(images, traces.append).square().mean().backward()
    assert (traces[-1].probabilities.sum(dim=-1) == 0).any()
    assert all(torch.isfinite(value.grad).all() for value in student.parameters())


def test_losses(toy_network, toy_model, toy_masks, images):
    """Against sums over the survivors, one by one, in NumPy."""
    dense = FloatReference(network=toy_network, model=toy_model)
    pruned = FloatReference(
        network=toy_network, model=toy_model, masks=toy_masks, schedule=SCHEDULE
    )
    with torch.no_grad():
        wanted, found = passage(dense, images), passage(pruned, images)
        result = distances(found, wanted)
    layers = []
    for tokens, live, base in zip(found.hidden, found.live, wanted.hidden, strict=True):
        pairs = [
            (tokens[image, place].numpy(), base[image, token].numpy())
            for image in range(4)
            for place, token in enumerate(live[image].tolist())
        ]
        squares = np.mean([np.mean((a - b) ** 2) for a, b in pairs])
        layers.append(squares / np.mean([np.var(b, ddof=1) for _, b in pairs]))
    assert layers[0] == 0
    assert result.hidden.item() == pytest.approx(np.mean(layers[1:]), rel=1e-4)
    p, q = (np.exp(x.logits.double().numpy()) for x in (wanted, found))
    p, q = (x / x.sum(axis=1, keepdims=True) for x in (p, q))
    assert result.logits.item() == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-4)
    torch.testing.assert_close(toy_model.head(wanted.feature), wanted.logits)


def test_relative_error():
    wanted = torch.tensor([[1.0, 3.0], [0.0, 4.0]])
    assert relative_error(wanted + 2, wanted).item() == pytest.approx(4 / ((2 + 8) / 2))


def test_loss_that_is_no_number(new_trainer, images):
    trainer = new_trainer()
    with pytest.raises(UserError, match="losses of step 0: 4 of 4 values are not finite"):
        trainer.step(images * torch.nan)


def test_pruning_steps_are_spread():
    recipe = Recipe(prune_share=0.75)
    assert [recipe.prunes(step) for step in range(8)] == [False, True, True, True] * 2
    assert not any(Recipe(prune_share=0.0).prunes(step) for step in range(8))
    assert all(Recipe(prune_share=1.0).prunes(step) for step in range(8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps = 0: expected at least 1"),
        ({"learning_rate": -1.0}, "learning_rate = -1.0: expected a number above 0"),
        ({"warmup": 1.0}, "warmup = 1.0"),
        ({"prune_share": 2.0}, "prune_share = 2.0: expected a fraction"),
        ({"augmentation": "magic"}, "augmentation = 'magic': expected one of crop, full"),
        ({"augmentation": "full", "batch_size": 3}, "batch_size = 3: expected an even number"),
    ],
)
def test_bad_recipes(changes: dict, message: str):
    with pytest.raises(UserError, match=message):
        Recipe(**changes)


def test_settings_of_a_recipe_fit_json():
    assert json.loads(json.dumps(vars(RECIPE))) == vars(RECIPE)


@pytest.mark.parametrize("pruned", [False, True])
def test_nothing_is_left_on_the_cpu(new_trainer, images, pruned):
    """On a GPU without arithmetic: whatever stays on the CPU cannot meet the rest there."""
    trainer = new_trainer()
    with FakeTensorMode(allow_non_fake_inputs=True):
        trainer.teacher.to("cuda")
        trainer.student.to("cuda")
        parts, loss = trainer.losses(images.to("cuda"), pruned=pruned)
    for value in (*vars(parts).values(), loss):
        assert value.device.type == "cuda"
        assert value.requires_grad
