"""Gradients by mask bits against finite differences; learning helps; files; the project's asset."""

import copy
import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from model.attention.entry_scores import (
    EntryScores,
    Settings,
    asset,
    entry_gradients,
    learn_scores,
    load_scores,
)
from model.attention.mask_source import MaskSource
from model.attention.synthetic import maps_of
from model.masks.strategies import LEARNED, make_masks, sparsity_of
from model.network.names import DEIT_TINY
from model.network.shape import Network
from model.pruning.schedule import PruningSchedule
from model.reference.forward import FloatReference
from rtl_gen.errors import UserError

SCHEDULE = PruningSchedule(start=0.2, end=0.8, first_layer=1)


def some_images(count: int, seed: int = 7) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def plain(model, image, weights, survivors):
    """Logits of one image where entry (i, j) of a head has weight[i, j] before normalisation."""
    x = model._pos_embed(model.patch_embed(image[None]))[0]
    live = list(range(len(x)))
    for block, weight, stay in zip(model.blocks, weights, survivors, strict=True):
        qkv = block.attn.qkv(block.norm1(x)).reshape(len(x), 3, 2, 8)
        mixed = []
        for head in range(2):
            grown = torch.exp(qkv[:, 0, head] @ qkv[:, 1, head].T / 8**0.5)
            grown = grown * weight[head][live][:, live]
            mixed.append(grown / grown.sum(dim=1, keepdim=True) @ qkv[:, 2, head])
        places = [live.index(token) for token in stay]
        x, live = x[places] + block.attn.proj(torch.cat(mixed, dim=1)[places]), stay
        x = x + block.mlp(block.norm2(x))
    return model.head(model.norm(x)[0])


@pytest.mark.parametrize("pruned", [False, True])
def test_gradients_equal_finite_differences(
    toy_network: Network,
    toy_model: VisionTransformer,
    pruned: bool,  # noqa: FBT001
):
    model = toy_model.double()
    masks = np.random.default_rng(3).random(toy_network.mask_shape) < 0.5
    masks[..., 0] = True
    reference = FloatReference(network=toy_network, model=model, masks=masks)
    if pruned:
        reference = replace(reference, schedule=SCHEDULE)
    images = some_images(2).double()
    seen = []
    reference.forward(images, observe=seen.append)
    kept = [trace.live.tolist() for trace in seen[1:]] + [[[0], [0]]]
    chosen = torch.tensor([0.3, -1.0, 0.5, 0.0, 2.0, 1.0, -0.7, 0.1, 0.9, -0.4])

    def objective(logits):
        return (logits * chosen).sum()

    found, value = entry_gradients(reference, images, objective, square=False)
    squares, _ = entry_gradients(reference, images, objective, square=True)

    def of_image(index, weights):
        survivors = [layer[index] for layer in kept]
        return objective(plain(model, images[index], weights, survivors)).item()

    base = torch.from_numpy(masks).double()
    assert value == pytest.approx(sum(of_image(index, base) for index in range(2)))
    step = 1e-5
    rng = np.random.default_rng(6)
    places = [tuple(rng.integers(0, toy_network.mask_shape)) for _ in range(30)]
    nonzero = 0
    for place in places:
        slopes = []
        for index in range(2):
            outcomes = []
            for sign in (1, -1):
                weights = base.clone()
                weights[place] += sign * step
                outcomes.append(of_image(index, weights))
            slopes.append((outcomes[0] - outcomes[1]) / (2 * step))
        assert found[place].item() == pytest.approx(sum(slopes), rel=2e-3, abs=1e-6)
        assert squares[place].item() == pytest.approx(
            sum(slope**2 for slope in slopes), rel=4e-3, abs=1e-9
        )
        nonzero += abs(sum(slopes)) > 1e-4
    assert {bool(masks[place]) for place in places} == {False, True}
    assert nonzero >= 8


@pytest.fixture
def maps(toy_network: Network, toy_model: VisionTransformer) -> np.ndarray:
    total = np.zeros(toy_network.mask_shape)

    def add(trace):
        total[trace.layer] = trace.probabilities.double().mean(dim=0).numpy()

    FloatReference(network=toy_network, model=toy_model).forward(some_images(32), observe=add)
    return total


def endless(seed: int) -> Iterator[torch.Tensor]:
    while True:
        seed += 1
        yield some_images(8, seed)


def test_learning_helps(toy_network: Network, toy_model: VisionTransformer, maps: np.ndarray):
    """Divergence from the dense network on other images: the start beats ViTCoD, learning both."""
    settings = Settings(
        start_steps=16, steps=60, rate=0.3, bf16=False, prune_share=0.0, sparsities=(0.6, 0.8)
    )
    torch.nn.init.normal_(toy_model.head.weight)
    weights = {name: value.clone() for name, value in toy_model.state_dict().items()}
    images = some_images(64, seed=1000)
    target = FloatReference(network=toy_network, model=toy_model).forward(images).log_softmax(1)

    def divergence(strategy: str, scores: np.ndarray | None = None) -> float:
        kept = make_masks(maps, 0.7, strategy, scores, prefix=1)
        reference = FloatReference(network=toy_network, model=toy_model, masks=kept)
        found = reference.forward(images).log_softmax(1)
        return (target.exp() * (target - found)).sum(dim=1).mean().item()

    results = []
    for chosen in (replace(settings, steps=0), settings):
        done = []
        scores = learn_scores(
            toy_network,
            toy_model,
            maps,
            endless(0),
            SCHEDULE,
            chosen,
            lambda images, loss, done=done: done.append((images, loss)),
        )
        assert [images for images, _ in done] == [8] * (16 + chosen.steps)
        results.append(divergence(LEARNED, scores))
    assert results[1] < 0.95 * results[0]
    assert results[0] < 0.8 * divergence("vitcod")
    assert all(torch.equal(toy_model.state_dict()[name], weights[name]) for name in weights)
    again = learn_scores(
        toy_network, toy_model, maps, endless(0), SCHEDULE, settings, lambda *_: None
    )
    assert np.array_equal(again, scores)


def test_scores_follow_a_teacher(
    toy_network: Network, toy_model: VisionTransformer, maps: np.ndarray
):
    """Nothing is dropped, so that the divergence is that between two dense networks."""
    teacher = copy.deepcopy(toy_model)
    torch.nn.init.normal_(teacher.head.weight)
    settings = Settings(start_steps=1, steps=1, bf16=False, prune_share=0.0, sparsities=(0.0, 0.0))
    losses = []
    images = list(islice(endless(0), 2))
    learn_scores(
        toy_network,
        toy_model,
        maps,
        iter(images),
        SCHEDULE,
        settings,
        lambda _, loss: losses.append(loss),
        teacher,
    )
    wanted, found = (model(images[1]).log_softmax(1) for model in (teacher, toy_model))
    divergence = (wanted.exp() * (wanted - found)).sum(dim=1).mean().item()
    assert divergence > 0.01
    assert losses[1] == pytest.approx(divergence, rel=1e-3)


def test_last_layer_serves_cls_alone(
    toy_network: Network, toy_model: VisionTransformer, maps: np.ndarray
):
    settings = Settings(start_steps=1, steps=0)
    scores = learn_scores(
        toy_network, toy_model, maps, endless(0), SCHEDULE, settings, lambda *_: None
    )
    assert scores[-1, :, 1:].max() < scores[-1, :, 0].min()
    kept = make_masks(maps, 0.5, LEARNED, scores, prefix=1)
    assert sparsity_of(kept) == pytest.approx(0.5, abs=1e-3)
    assert kept[-1, :, 1:].sum(axis=-1).max() <= 2


def test_files(tmp_path: Path):
    scores = np.random.default_rng(1).normal(-20, 10, (2, 2, 5, 5))
    path = tmp_path / "scores.npz"
    contents = []
    for _ in range(2):
        file = io.BytesIO()
        EntryScores(scores, {"network": "toy"}).write(file)
        contents.append(file.getvalue())
    assert contents[0] == contents[1]
    path.write_bytes(contents[0])
    back = load_scores(path)
    assert back.metadata == {"network": "toy"}
    np.testing.assert_allclose(back.scores, scores, atol=1 / 64)
    for content in (b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="are unreadable"):
            load_scores(path)
    np.savez(tmp_path / "other.npz", levels=np.zeros(3), metadata=np.array("{}"))
    with pytest.raises(UserError, match=r"levels are float64 \(3,\)"):
        load_scores(tmp_path / "other.npz")
    with pytest.raises(UserError, match=r"no entry scores .*absent"):
        load_scores(tmp_path / "absent.npz")


def test_scores_that_do_not_fit():
    maps = np.full((1, 1, 4, 4), 0.25)
    with pytest.raises(UserError, match="strategy learned needs scores of the entries"):
        make_masks(maps, 0.5, LEARNED, prefix=1)
    with pytest.raises(UserError, match=r"shape \(1, 2, 4, 4\): expected \(1, 1, 4, 4\)"):
        make_masks(maps, 0.5, LEARNED, np.zeros((1, 2, 4, 4)), prefix=1)
    scores = np.zeros(maps.shape)
    scores[0, 0, 1, 1:3] = np.nan, np.inf
    message = r"entry scores: 2 of 16 values are not finite \(1 NaN, 1 infinite\)"
    with pytest.raises(UserError, match=message):
        make_masks(maps, 0.5, LEARNED, scores, prefix=1)
    with pytest.raises(UserError, match=message):
        EntryScores(scores, {}).write(io.BytesIO())


def test_learned_masks_of_commands(command, tmp_path: Path, capsys: pytest.CaptureFixture):
    """DeiT-Tiny has scores of its own; of others every command says so, before any work."""
    levels = np.load(asset(DEIT_TINY.name))["levels"]
    expected = make_masks(maps_of(DEIT_TINY).maps, 0.8, LEARNED, levels / 32, prefix=1)
    source = MaskSource(sparsity=0.8, strategy=LEARNED)
    assert np.array_equal(source.masks(DEIT_TINY), expected)
    refusal = "strategy learned needs scores, and none of deit_base come with the project: learn"
    common = ("--model", "deit_base", "--strategy", LEARNED, "--out", tmp_path / "out.npy")
    for words in (("image",), ("masks", "--sparsity", 0.8)):
        assert command(*words, *common) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {refusal}")
        assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_names_of_results():
    labels = [MaskSource(sparsity=0.8, strategy=name).label for name in ("vitcod", LEARNED)]
    file = MaskSource(sparsity=0.8, file=Path("a/b.npy"), strategy=LEARNED)
    assert [*labels, file.label] == ["0.8", "0.8-learned", "b"]


def test_asset():
    found = load_scores(asset(DEIT_TINY.name))
    assert found.scores.shape == DEIT_TINY.mask_shape
    assert found.metadata["network"] == DEIT_TINY.name
    assert found.metadata["images"] == 5793
    assert asset(DEIT_TINY.name).stat().st_size <= 3_000_000
