"""Images through a whole network in RTL, one a core, beside the golden and the cycle model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import Tensor

from cocotb_tests.harness.runner import Progress
from cocotb_tests.network.check import Comparison, compare, network_pairs
from cocotb_tests.network.divergence import Divergence, first_divergence
from cocotb_tests.network.run import RtlRun, run_images
from model.integer.forward import trace
from model.integer.network import IntegerNetwork
from model.program.compiler import compile_network
from model.program.memory_image import Image
from model.program.step import Step
from model.program.steps import network_steps
from model.program.writers import writers
from rtl_gen.config import AcceleratorConfig
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.predict import predict_network

LONG_CYCLES = 2_000_000
"""From here on a simulation is optimised: a shorter one takes longer to build so than it saves."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A picture for every core, and what the models say of them."""

    pictures: int
    """The first so many cores have one; the others work on zeros."""
    data: np.ndarray
    """The image's bytes with them."""
    golden: dict[str, Tensor]
    """Every tensor of the golden model, see `model.integer.forward`; an entry a core."""
    predicted: dict[str, int]
    """Counters by the cycle model."""


@dataclass(frozen=True, kw_only=True)
class CoSimulation:
    """A compiled network with its pictures, in batches of one a core."""

    config: AcceleratorConfig
    image: Image
    batches: tuple[Batch, ...]
    memory: MemoryTiming
    writers: Mapping[str, Step]
    """The step that wrote each stored tensor."""

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
        """Compile a network once and run both models on every batch.

        Args:
            config: the accelerator.
            integers: the network.
            patches: (pictures, patches, K) of its inputs; the last batch need not be full.
            masks: kept entries, bool (layers, heads, n, n).
            keep: tokens (CLS counted) that each layer leaves; None where it drops none.
            memory: behaviour of the simulated memory.
            dump: store, and so compare, every intermediate tensor.

        Raises:
            UserError: the network does not fit the accelerator.
        """
        image = compile_network(config, integers, masks, keep, dump=dump)

        def batch(pictures: Tensor) -> Batch:
            golden = trace(integers, image.filled(pictures), masks, keep)
            return Batch(
                pictures=len(pictures),
                data=image.with_patches(pictures),
                golden=golden,
                predicted=predict_network(config, image, masks, golden, memory),
            )

        return cls(
            config=config,
            image=image,
            batches=tuple(map(batch, patches.split(config.cores))),
            memory=memory,
            writers=writers(config, network_steps(config, integers.shape, keep, dump=dump)),
        )

    @property
    def cycles(self) -> int:
        """Of all batches, as predicted."""
        return sum(batch.predicted["cycles"] for batch in self.batches)

    def run(self, simulator: str, seed: int, progress: Progress | None = None) -> list[RtlRun]:
        """Simulate the RTL, batch by batch on the same program; `progress` hears of cycles that
        are done.

        Raises:
            UserError: the accelerator stopped with an error.
        """
        runs = run_images(
            self.config,
            self.image,
            np.stack([batch.data for batch in self.batches]),
            simulator=simulator,
            memory=self.memory,
            seed=seed,
            optimise=self.cycles >= LONG_CYCLES,
            progress=progress,
        )
        return [run.finished() for run in runs]

    def compare(self, batch: Batch, run: RtlRun, core: int) -> Comparison:
        """Every value that a core stored against the golden model."""
        pairs = network_pairs(self.image, batch.golden, run)
        stored = zip(self.image.stored, pairs, strict=True)
        return compare(pair for tensor, pair in stored if tensor.core == core)

    def first_divergence(self, runs: Sequence[RtlRun]) -> tuple[int, Divergence] | None:
        """The first batch that leaves the golden model, by its number, and where it does."""
        for number, (batch, run) in enumerate(zip(self.batches, runs, strict=True)):
            if found := first_divergence(self.image, batch.golden, run, self.writers):
                return number, found
        return None
