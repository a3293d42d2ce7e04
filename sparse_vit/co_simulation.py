"""Images through a whole network in RTL, one a core, beside the golden and the cycle model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import Tensor

from cocotb_tests.network.check import Comparison, compare, network_pairs
from cocotb_tests.network.run import RtlRun, run_image
from model.integer.forward import trace
from model.integer.network import IntegerNetwork
from model.program.compiler import compile_network
from model.program.memory_image import Image
from rtl_gen.config import AcceleratorConfig
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.program import predict_network


@dataclass(frozen=True, kw_only=True)
class CoSimulation:
    """A compiled network with a batch, a picture for every core, and what the models say of it."""

    config: AcceleratorConfig
    image: Image
    patches: Tensor
    """(cores, patches, K)"""
    golden: dict[str, Tensor]
    """Every tensor of the golden model, see `model.integer.forward`."""
    memory: MemoryTiming
    predicted: dict[str, int]
    """Counters by the cycle model."""

    @classmethod
    def of(
        cls,
        config: AcceleratorConfig,
        integers: IntegerNetwork,
        patches: Tensor,
        masks: Tensor,
        keep: Sequence[int | None],
        memory: MemoryTiming = DEFAULT_MEMORY,
        *,
        dump: bool = False,
    ) -> Self:
        """Compile a network and run both models.

        Args:
            config: the accelerator.
            integers: the network.
            patches: (b, patches, K) of its inputs; cores beyond the b-th get zeros.
            masks: kept entries, bool (layers, heads, n, n).
            keep: tokens (CLS counted) that each layer leaves; None where it drops none.
            memory: behaviour of the simulated memory.
            dump: store, and so compare, every intermediate tensor.

        Raises:
            UserError: the network does not fit the accelerator.
        """
        image = compile_network(config, integers, masks, keep, dump=dump)
        patches = image.filled(patches)
        golden = trace(integers, patches, masks, keep)
        return cls(
            config=config,
            image=image,
            patches=patches,
            golden=golden,
            memory=memory,
            predicted=predict_network(config, image, masks, golden, memory),
        )

    def run(self, simulator: str, seed: int) -> RtlRun:
        """Simulate the RTL.

        Raises:
            UserError: the accelerator stopped with an error.
        """
        return run_image(
            self.config,
            self.image,
            self.image.with_patches(self.patches),
            simulator=simulator,
            memory=self.memory,
            seed=seed,
        ).finished()

    def compare(self, run: RtlRun) -> Comparison:
        """Every stored value against the golden model."""
        return compare(network_pairs(self.image, self.golden, run))

    def logits(self, run: RtlRun) -> np.ndarray:
        """What the RTL stored, int64 (cores, classes)."""
        return self.image.logits(run.memory)
