"""Whether logits say the right class: asked here by everything that counts hits.

Equal logits rank by class index, so that the lower one is chosen. An image whose logits are not all
finite has no class: it is never a hit.
"""

import torch
from torch import Tensor


def rank_of(logits: Tensor, labels: Tensor) -> Tensor:
    """(b,) classes of logits (b, classes) that come before the right one; 0 is a hit.

    All classes, which is more than any rank, where a logit is not finite or the right class is none
    of the network's.
    """
    classes = torch.arange(logits.shape[1], device=logits.device)
    right = classes == labels[:, None]
    own = torch.where(right, logits, 0).sum(dim=1, keepdim=True)
    earlier = classes < labels[:, None]
    ranks = ((logits > own) | ((logits == own) & earlier)).sum(dim=1)
    ranked = logits.isfinite().all(dim=1) & right.any(dim=1)
    return torch.where(ranked, ranks, len(classes))


def is_hit(logits: Tensor, labels: Tensor) -> Tensor:
    """(b,) bool: the right class ranks first."""
    return rank_of(logits, labels) == 0


def same_class(logits: Tensor, others: Tensor) -> Tensor:
    """(b,) bool: both choose one class."""
    return is_hit(logits, others.argmax(dim=1)) & others.isfinite().all(dim=1)
