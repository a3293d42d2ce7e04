"""What pruning loses: KL divergence, in nats, from the same network that drops no token.

No labels are needed. KL(p || q) = sum over classes of p * log(p / q), where p are the probabilities
of the unpruned network and q those of the pruned one, with the same weights and masks. Everything
is in float32: products in bfloat16 change the divergence by a few percent.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.evaluation.ranks import Progress
from model.files.finite import check_finite
from model.network.shape import Network
from model.pruning.placement import LayerTokens
from model.reference.forward import FloatReference, Stream


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
    def around(
        self, kept: Sequence[int], drops: Sequence[Sequence[int]], progress: Progress
    ) -> list[np.ndarray]:
        """Mean nats of a schedule in which one layer drops another number of tokens.

        What enters a layer is computed once for all its numbers.

        Args:
            kept: patch tokens that leave each layer, by the schedule.
            drops: for every layer, numbers of tokens to drop there; the layers behind it drop what
                they drop by the schedule, as long as there are any.
            progress: called with the images, once a batch and layer.
        """
        network = self._reference.network
        totals = [np.zeros(len(numbers)) for numbers in drops]
        for images, expected in self._batches:
            stream = self._reference.embed(images)
            for layer, numbers in enumerate(drops):
                for place, number in enumerate(numbers):
                    changed = with_drop(kept, layer, number, network)
                    logits = self._reference.head(self._through(changed, layer, stream))
                    totals[layer][place] += _divergence(expected, logits).double().sum().item()
                stream = self._through(kept[: layer + 1], layer, stream)
                progress(len(images))
        return [total / self.images for total in totals]

    def _through(self, kept: Sequence[int], first: int, stream: Stream) -> Stream:
        """What leaves the last layer of `kept`, from what enters layer `first`."""
        for layer in range(first, len(kept)):
            after = kept[layer] + self._reference.network.prefix_tokens
            count = LayerTokens(stream.live.shape[1], after, after)
            stream = self._reference.layer(layer, count, stream)
        return stream


def with_drop(kept: Sequence[int], layer: int, number: int, network: Network) -> list[int]:
    """Patches that leave each layer if `layer` drops so many, and the others what they did."""
    before = kept[layer - 1] if layer else network.patch_tokens
    moved = before - number - kept[layer]
    least = network.least_patches
    return [*kept[:layer], *(max(count + moved, least) for count in kept[layer:])]


def _divergence(expected: Tensor, logits: Tensor) -> Tensor:
    """(b,) nats.

    Raises:
        UserError: probabilities that are not finite.
    """
    found = logits.log_softmax(dim=1)
    nats = functional.kl_div(found, expected, reduction="none", log_target=True).sum(dim=1)
    check_finite("KL divergence", nats, ": expected trained weights")
    return nats
