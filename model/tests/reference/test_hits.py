"""Hits: by hand, and logits that are no numbers."""

import torch

from model.data.image_folder import ImageFolder
from model.evaluation.integer_accuracy import Comparison
from model.finetune.evaluation import evaluate
from model.reference.forward import FloatReference, ranking
from model.reference.hits import is_hit, rank_of, same_class

NAN, INF = float("nan"), float("inf")


def test_ranks():
    """As many classes as a sort by logit, then by index, has before the right one."""
    logits = torch.tensor([[1, 5, 5, 2], [5, 5, 5, 5], [0, 1, 2, 3]])
    for labels in ([0, 0, 0], [1, 1, 1], [2, 3, 2]):
        expected = [
            sorted(range(4), key=lambda c: (-row[c], c)).index(label)
            for row, label in zip(logits.tolist(), labels, strict=True)
        ]
        assert rank_of(logits, torch.tensor(labels)).tolist() == expected
        assert is_hit(logits, torch.tensor(labels)).tolist() == [rank == 0 for rank in expected]


def test_logits_that_are_not_finite_are_never_hits():
    """Not even of top-5, though fewer than five logits are larger than a NaN."""
    logits = torch.tensor(
        [[NAN] * 6, [9, NAN, 0, 0, 0, 0], [INF, 0, 0, 0, 0, 0], [9, 8, 0, 0, 0, 0]]
    )
    labels = torch.zeros(4, dtype=torch.int64)
    assert rank_of(logits, labels).tolist() == [6, 6, 6, 0]
    assert is_hit(logits, labels).tolist() == [False, False, False, True]
    assert same_class(logits, logits).tolist() == [False, False, False, True]
    result = Comparison(labels, logits, logits)
    assert (result.float_top1, result.integer_top1, result.agreement) == (0.25, 0.25, 0.25)
    assert (result.lost, result.won) == (0, 0)


def test_a_class_that_the_network_has_not_is_never_hit():
    assert rank_of(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([7, -1])).tolist() == [2, 2]


def test_networks_of_nan_have_no_hits(toy_network, toy_model, image_folder):
    """Class 1 and 7; a NaN in the classifier's bias makes every logit of class 0 NaN."""
    toy_model.head.bias[0] = NAN
    folder = ImageFolder(image_folder)
    reference = FloatReference(network=toy_network, model=toy_model)
    assert reference.accuracy(folder) == 0
    toy_model.head.bias[:] = NAN
    assert reference.accuracy(folder) == 0
    rows = evaluate({"nan": reference}, folder, 4, torch.device("cpu"), lambda _: None)
    assert rows.top1.tolist() == [0]


def test_importance_that_is_nan_ranks_last():
    importance = torch.tensor([[0.1, NAN, 0.5, 0.5, INF, -INF], [NAN, NAN, NAN, 1, NAN, 2]])
    assert ranking(importance, prefix=1).tolist() == [[0, 4, 2, 3, 1, 5], [0, 5, 3, 1, 2, 4]]
