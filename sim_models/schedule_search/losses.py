"""What pruning loses: KL divergence, in nats, from the same network that drops no token.

No labels are needed. KL(p || q) = sum over classes of p * log(p / q), where p are the probabilities
of the unpruned network and q those of the pruned one, with the same weights and masks. Everything
is in float32: products in bfloat16 change the divergence by a few percent.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.reference import FloatReference, Stream
from model.schedule import LayerTokens
from rtl_gen.numerics import PROTECTED_TOKENS

Progress = Callable[[int], object]
"""Called with the images of every finished batch."""


class PruningLoss:
    """Divergences on some images, which stay in memory.

    reference: the network with its masks and without pruning
    batches: images (b, 3, h, w)
    """

    @torch.inference_mode()
    def __init__(self, reference: FloatReference, batches: Iterable[Tensor], progress: Progress):
        self._reference = reference
        self._batches: list[tuple[Tensor, Tensor]] = []
        for images in batches:
            self._batches.append((images, reference.forward(images).log_softmax(dim=1)))
            progress(len(images))

    @property
    def images(self) -> int:
        return sum(len(images) for images, _ in self._batches)

    @torch.inference_mode()
    def of(self, pruned: FloatReference, progress: Progress = lambda _: None) -> np.ndarray:
        """Nats (images,) that another network loses against the reference."""
        found = []
        for images, expected in self._batches:
            found.append(_divergence(expected, pruned.forward(images)))
            progress(len(images))
        return torch.cat(found).double().numpy()

    @torch.inference_mode()
    def by_layer(self, counts: Sequence[int], progress: Progress) -> np.ndarray:
        """Mean nats (layers, counts) where one layer alone prunes, to a count of patch tokens.

        What enters each layer is computed once for all counts.
        """
        layers = self._reference.network.layers
        total = np.zeros((layers, len(counts)))
        for images, expected in self._batches:
            stream = self._reference.embed(images)
            for layer in range(layers):
                for place, count in enumerate(counts):
                    logits = self._from(layer, count + PROTECTED_TOKENS, stream)
                    total[layer, place] += _divergence(expected, logits).double().sum().item()
                stream = self._reference.layer(layer, self._all(stream.live.shape[1]), stream)
                progress(len(images))
        return total / self.images

    def _from(self, layer: int, tokens: int, stream: Stream) -> Tensor:
        for index in range(layer, self._reference.network.layers):
            stream = self._reference.layer(index, self._all(tokens), stream)
        return self._reference.head(stream)

    @staticmethod
    def _all(tokens: int) -> LayerTokens:
        return LayerTokens(tokens, tokens, tokens)


def _divergence(expected: Tensor, logits: Tensor) -> Tensor:
    found = logits.log_softmax(dim=1)
    return functional.kl_div(found, expected, reduction="none", log_target=True).sum(dim=1)
